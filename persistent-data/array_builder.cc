#include "persistent-data/array_builder.h"

#include <cstring>

namespace pd {

array_builder::array_builder(bulk_writer& writer, const array_shape& shape)
    : writer_(writer), shape_(shape), tree_(writer, block_nr_size), block_(1) {
  begin_block();
}

void array_builder::begin_block() {
  std::memset(block_.block(0), 0, block_size);
}

void array_builder::write_block() {
  std::byte* const block = block_.block(0);
  init_array_block(block, shape_.value_size, shape_.entries(key_));
  const block_nr where = writer_.append(array_block, block);
  written_.push_back(static_cast<std::uint32_t>(where));
  std::byte value[block_nr_size];
  base::put_le64(value, where);
  tree_.add(key_, value);
}

void array_builder::advance_to(std::uint64_t key) {
  while (key_ < key) {
    write_block();
    begin_block();
    ++key_;
  }
}

block_nr array_builder::finish() {
  if (shape_.nr_array_blocks() > 0) {
    advance_to(shape_.nr_array_blocks() - 1);
    write_block();
  }
  return tree_.finish();
}

}  // namespace pd
