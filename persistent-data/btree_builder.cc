#include "persistent-data/btree_builder.h"

#include "base/bytes.h"
#include "persistent-data/btree_node.h"

namespace pd {

void btree_builder::add_to(std::size_t height, std::uint64_t key, const std::byte* value) {
  if (height == levels_.size()) {
    levels_.emplace_back();
  }
  const std::uint32_t capacity = node_capacity(value_size(height));
  if (levels_[height].keys.size() == 2 * std::size_t{capacity}) {
    write_node(height, capacity);
  }
  levels_[height].keys.push_back(key);
  auto& values = levels_[height].values;
  values.insert(values.end(), value, value + value_size(height));
}

block_nr btree_builder::append_node(std::size_t height, std::uint32_t count) {
  level& from = levels_[height];
  const std::size_t size = value_size(height);
  block_buffer block(1);
  init_node(block.block(0), height == 0, value_size(height));
  for (std::uint32_t i = 0; i < count; ++i) {
    put_entry(block.block(0), i, from.keys[i], from.values.data() + size * i);
  }
  put_nr_entries(block.block(0), count);
  from.keys.erase(from.keys.begin(), from.keys.begin() + count);
  from.values.erase(from.values.begin(),
                    from.values.begin() + static_cast<std::ptrdiff_t>(size * count));
  return writer_(block.block(0));
}

void btree_builder::write_node(std::size_t height, std::uint32_t count) {
  const std::uint64_t first_key = levels_[height].keys.front();
  levels_[height].has_nodes = true;
  std::byte child[block_nr_size];
  base::put_le64(child, append_node(height, count));
  add_to(height + 1, first_key, child);
}

block_nr btree_builder::finish() {
  if (levels_.empty()) {
    levels_.emplace_back();
  }
  for (std::size_t height = 0;; ++height) {
    const auto left = static_cast<std::uint32_t>(levels_[height].keys.size());
    const std::uint32_t capacity = node_capacity(value_size(height));
    if (left <= capacity && !levels_[height].has_nodes) {
      return append_node(height, left);
    }
    if (left > capacity) {
      write_node(height, left - left / 2);
    }
    write_node(height, static_cast<std::uint32_t>(levels_[height].keys.size()));
  }
}

}  // namespace pd
