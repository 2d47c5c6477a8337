// Builds a btree bottom up from ascending keys (doc/format.md 3): nodes are full, but the last two
// of each level share their entries, so that no node but the root is under a third. At most two
// nodes a level are in memory. Not thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <utility>
#include <vector>

#include "persistent-data/bulk_writer.h"

namespace pd {

// Gives a finished node a place and writes it there.
using node_writer = std::function<block_nr(const std::byte* node)>;

class btree_builder {
 public:
  btree_builder(node_writer writer, std::uint32_t leaf_value_size)
      : writer_(std::move(writer)), leaf_value_size_(leaf_value_size) {}
  btree_builder(bulk_writer& writer, std::uint32_t leaf_value_size)
      : btree_builder([&writer](const std::byte* node) { return writer.append(node_block, node); },
                      leaf_value_size) {}

  // Keys must ascend; `value` has leaf_value_size bytes.
  void add(std::uint64_t key, const std::byte* value) { add_to(0, key, value); }

  // Writes what is left and returns the root; an empty tree is one empty leaf.
  block_nr finish();

 private:
  // The entries of a level that are in no written node yet, up to two nodes full.
  struct level {
    std::vector<std::uint64_t> keys;
    std::vector<std::byte> values;
    bool has_nodes = false;
  };

  std::uint32_t value_size(std::size_t height) const {
    return height == 0 ? leaf_value_size_ : block_nr_size;
  }
  void add_to(std::size_t height, std::uint64_t key, const std::byte* value);
  void write_node(std::size_t height, std::uint32_t count);
  block_nr append_node(std::size_t height, std::uint32_t count);

  node_writer writer_;
  std::uint32_t leaf_value_size_;
  std::vector<level> levels_;
};

}  // namespace pd
