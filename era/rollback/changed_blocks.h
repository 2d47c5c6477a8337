// The blocks of an origin that were written, as a rollback needs them: from metadata, or from a
// list that was printed before. Once made, any thread may ask.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "era/list/written_list.h"

namespace era {

// No list or origin has more blocks for a rollback: two bits of each are 1 GiB.
inline constexpr std::uint64_t most_rollback_blocks = std::uint64_t{1} << 32;

struct changed_blocks {
  std::string name;              // of what says it
  std::uint64_t block_size = 0;  // sectors
  written_blocks blocks;
  std::optional<std::uint64_t> origin_sectors;  // the origin has no more; XML does not say it
  std::optional<std::uint32_t> written_since;   // XML does not say it
};

inline changed_blocks changed_of(written_list list) {
  const list_facts& facts = list.facts;
  return {facts.file, facts.block_bytes / sector_bytes, std::move(list.blocks),
          base::ceil_div(facts.origin_bytes, sector_bytes), facts.written_since};
}

}  // namespace era
