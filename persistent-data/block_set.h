// A set of metadata blocks: one bit a block. Not thread safe.
#pragma once

#include <vector>

#include "persistent-data/block.h"

namespace pd {

class block_set {
 public:
  explicit block_set(block_nr nr_blocks) : bits_(nr_blocks, false) {}

  // True if `block`, below nr_blocks, was not in the set before.
  bool insert(block_nr block) {
    const bool is_new = !bits_[block];
    bits_[block] = true;
    return is_new;
  }

  bool contains(block_nr block) const { return bits_[block]; }

 private:
  std::vector<bool> bits_;
};

}  // namespace pd
