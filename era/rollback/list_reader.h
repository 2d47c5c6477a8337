// Reads a list of written blocks that era_invalidate printed, as JSON or XML (its page describes
// both). What could be a part of a list is refused: a list that is too short is silent data loss.
// Kept is one bit a block. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>

#include "base/text_source.h"
#include "era/rollback/changed_blocks.h"

namespace era {

// What XML does not say, nor the command line.
class block_size_unknown : public base::data_error {
 public:
  using data_error::data_error;
};

// `block_size`, in sectors, is that of the list if it does not say it; if it does, they must agree.
// Throws base::data_error naming the list, and in XML the line, when it is cut off, contradicts
// itself, is the report of a failure or something else; base::io_error where it can't be read.
changed_blocks read_list(base::text_pieces& from, std::optional<std::uint32_t> block_size);

}  // namespace era
