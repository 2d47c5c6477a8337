// A btree node in its 4096 bytes (doc/format.md 3): one level of 64-bit keys, values of a fixed
// size, the value area after max_entries keys. Thread safe: no state.
#pragma once

#include <cstdint>
#include <optional>

#include "base/bytes.h"
#include "persistent-data/block.h"
#include "persistent-data/damage.h"

namespace pd {

inline constexpr std::size_t node_header_size = 32;
inline constexpr std::uint32_t key_size = 8;

// Nodes on the way from the root to a leaf. Trees of a full metadata device are 4 deep, and 22 if
// every node has just two children; a deeper way has come round in a circle.
inline constexpr unsigned max_tree_depth = 24;

inline constexpr std::uint32_t node_capacity(std::uint32_t value_size) {
  return 3 *
         (static_cast<std::uint32_t>(block_size - node_header_size) / (key_size + value_size) / 3);
}

// Reads the fields of a node. What it says can be trusted only after check_node() has passed it.
class node_view {
 public:
  explicit node_view(const std::byte* block) : block_(block) {}

  std::uint32_t flags() const { return base::get_le32(block_ + 4); }
  bool is_leaf() const { return flags() == 2; }
  std::uint32_t nr_entries() const { return base::get_le32(block_ + 16); }
  std::uint32_t max_entries() const { return base::get_le32(block_ + 20); }
  std::uint32_t value_size() const { return base::get_le32(block_ + 24); }

  // i below nr_entries().
  std::uint64_t key(std::uint32_t i) const {
    return base::get_le64(block_ + node_header_size + key_size * std::size_t{i});
  }
  const std::byte* value(std::uint32_t i) const {
    return block_ + node_header_size + key_size * std::size_t{max_entries()} +
           std::size_t{value_size()} * i;
  }

  // The value as a block number: of internal nodes, and of the leaves of an array's tree.
  block_nr child(std::uint32_t i) const { return base::get_le64(value(i)); }

 private:
  const std::byte* block_;
};

// What is wrong inside a node whose head is good, if anything: flags, sizes, counts, key order.
// `leaf_value_size` is what leaves of its tree hold. A damage of kind node_odd_maximum is a remark:
// the node can be used all the same.
std::optional<damage> check_node(const std::byte* block, block_nr where,
                                 std::uint32_t leaf_value_size);

// Starts an empty node in a zeroed block.
void init_node(std::byte* block, bool leaf, std::uint32_t value_size);

// Writes entry i, below the capacity, without touching nr_entries.
void put_entry(std::byte* block, std::uint32_t i, std::uint64_t key, const std::byte* value);
void put_nr_entries(std::byte* block, std::uint32_t nr_entries);

// Opens a gap before entry i, or closes the one that it leaves; nr_entries follows. There must be
// room.
void insert_entry(std::byte* block, std::uint32_t i, std::uint64_t key, const std::byte* value);
void erase_entry(std::byte* block, std::uint32_t i);

// Moves `count` entries from the end of `left` to the beginning of `right`, or the other way. Both
// have values of the same size.
void move_entries_right(std::byte* left, std::byte* right, std::uint32_t count);
void move_entries_left(std::byte* left, std::byte* right, std::uint32_t count);

// The last entry whose key is not above `key`; empty if there is none.
std::optional<std::uint32_t> last_not_above(const node_view& node, std::uint64_t key);

}  // namespace pd
