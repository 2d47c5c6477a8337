// Builds an array from front to back (doc/format.md 4). Elements that are never put are 0. One
// array block and the builder of its tree are in memory. Not thread safe.
#pragma once

#include <vector>

#include "base/bytes.h"
#include "persistent-data/array.h"
#include "persistent-data/btree_builder.h"

namespace pd {

class array_builder {
 public:
  array_builder(bulk_writer& writer, const array_shape& shape);

  // The value area of the array block with this key, below shape.nr_array_blocks(), to be written
  // to. Keys must not descend: the blocks before it are written.
  std::byte* values_of(std::uint64_t key) {
    if (key != key_) {
      advance_to(key);
    }
    return block_.block(0) + array_header_size;
  }

  // The numbers of the array blocks written so far, by key; for later updates of single elements.
  const std::vector<std::uint32_t>& written() const { return written_; }

  // Writes what is left and returns the root.
  block_nr finish();

  const array_shape& shape() const { return shape_; }

 private:
  void advance_to(std::uint64_t key);
  void begin_block();
  void write_block();

  bulk_writer& writer_;
  array_shape shape_;
  btree_builder tree_;
  block_buffer block_;
  std::uint64_t key_ = 0;
  std::vector<std::uint32_t> written_;
};

}  // namespace pd
