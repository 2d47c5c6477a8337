// The part of list_reader.h that reads JSON, as a stream. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>

#include "base/text_source.h"
#include "era/rollback/changed_blocks.h"

namespace era {

changed_blocks read_json_list(base::text_pieces& from, std::optional<std::uint32_t> block_size);

}  // namespace era
