// What of a piece is to be written, what to be made zeros, and what is there already. Thread safe:
// no state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/byte_range.h"

namespace copy {

// Compared, and looked at for zeros, is by so many bytes, at multiples of it.
inline constexpr std::uint64_t unit_bytes = 4096;

// Fewer zeros than this are written with what is beside them: many small holes slow a file down.
inline constexpr std::uint64_t smallest_hole = 65536;

struct segment {
  enum class kind { data, zeros, equal };
  kind what = kind::data;
  base::byte_range bytes;

  bool operator==(const segment&) const = default;
};

// Those of a piece of these bytes, in ascending order, without gaps. `memory` holds them;
// `present`, if not null, what the target holds in their place. `sparse`: zeros are told apart.
std::vector<segment> segments_of(const base::byte_range& bytes, const std::byte* memory,
                                 const std::byte* present, bool sparse);

}  // namespace copy
