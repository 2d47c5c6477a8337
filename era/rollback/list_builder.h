// Puts the runs of a printed list together again, one bit a block. Not thread safe.
#pragma once

#include <cstdint>
#include <utility>

#include "era/list/written_blocks.h"

namespace era {

class list_builder {
 public:
  // Of blocks below `end`, which is at most most_rollback_blocks.
  explicit list_builder(std::uint64_t end) : end_(end) {}

  // The blocks from `first` up to `end`. Throws base::data_error, without a place, where that is no
  // run, or one that does not come after those before it.
  void add(std::uint64_t first, std::uint64_t end);

  // Blocks added so far.
  std::uint64_t total() const { return total_; }

  // Nothing may follow.
  written_blocks finish() { return std::move(blocks_); }

 private:
  std::uint64_t end_;
  std::uint64_t next_ = 0;  // no run may begin before
  std::uint64_t total_ = 0;
  written_blocks blocks_{{}, 0};  // up to the last one that is listed
};

}  // namespace era
