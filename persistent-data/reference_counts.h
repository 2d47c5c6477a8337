// How often each metadata block is referenced, counted by walking all that is reachable
// (doc/format.md 7.1), or as a space map has it. Four bytes a metadata block. Not thread safe.
#pragma once

#include <cstdint>
#include <vector>

#include "persistent-data/block_set.h"

namespace pd {

class reference_counts {
 public:
  explicit reference_counts(block_nr nr_blocks) : counts_(nr_blocks), visited_(nr_blocks) {}

  block_nr nr_blocks() const { return counts_.size(); }
  std::uint32_t operator[](block_nr block) const { return counts_[block]; }
  void set(block_nr block, std::uint32_t count) { counts_[block] = count; }

  // A pointer to `block` was met. Pointers out of range are damage, reported elsewhere.
  void add(block_nr block) {
    if (block < counts_.size()) {
      ++counts_[block];
    }
  }

  // True at the first visit: the pointers inside a block count once a block, not once a path.
  bool first_visit(block_nr block) { return visited_.insert(block); }

 private:
  std::vector<std::uint32_t> counts_;
  block_set visited_;
};

}  // namespace pd
