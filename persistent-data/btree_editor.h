// Changes btrees in a transaction, copy on write (doc/format.md 3 and 9). A root is passed by
// reference and follows the tree, for every change moves it. The caller's root counts as one
// reference.
//
// Full nodes are split on the way down as the kernel does it, so that trees come out alike; nodes
// that a removal might leave under a third are filled or merged on the way down, too. Nothing is
// held in memory between calls. Throws base::data_error where the tree is damaged, base::io_error
// if no block is free. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "persistent-data/btree_node.h"
#include "persistent-data/transaction_manager.h"

namespace pd {

// What stands in the leaves of a tree: the size of a value in bytes, and how the blocks that a
// value names are counted. A value that names none has neither function.
struct btree_values {
  std::uint32_t size;
  void (*add_reference)(transaction_manager& transaction, const std::byte* value) = nullptr;
  void (*drop_reference)(transaction_manager& transaction, const std::byte* value) = nullptr;
};

inline btree_values plain_values(std::uint32_t size) {
  return {size};
}

class btree_editor {
 public:
  btree_editor(transaction_manager& transaction, const btree_values& values)
      : transaction_(transaction), values_(values) {}

  // A new tree without entries.
  block_nr make_empty();

  // The value of `key`; empty if there is none.
  std::optional<std::vector<std::byte>> find(block_nr root, std::uint64_t key);

  std::optional<std::uint64_t> lowest_key(block_nr root);
  std::optional<std::uint64_t> highest_key(block_nr root);

  // Enters `key`, or gives it another value, whose references pass from the caller to the tree.
  void insert(block_nr& root, std::uint64_t key, const std::byte* value);

  // The value of `key` where it may be changed in place, in a leaf that `leaf` holds; a caller that
  // changes it accounts for its references. Null if there is no such key.
  std::byte* find_for_update(block_nr& root, std::uint64_t key, block_ptr& leaf);

  // False if there is no such key.
  bool remove(block_nr& root, std::uint64_t key);

  // Drops the caller's reference to the tree, and with the last one all that it names.
  void destroy(block_nr root);

 private:
  // A node that may be changed, and which child of it the way leads to.
  struct step {
    block_ptr node;
    std::uint32_t child = 0;
  };

  block_ptr read_node(block_nr where);
  void require_sound(cached_block& block);
  block_ptr shadow_node(block_nr where);
  block_ptr shadow_child(const block_ptr& parent, std::uint32_t i);
  block_ptr shadow_sibling(const block_ptr& parent, std::uint32_t i, const block_ptr& beside);
  block_ptr new_node(bool leaf);
  void destroy_from(block_nr where, unsigned depth);
  std::optional<std::uint64_t> outermost_key(block_nr root, bool last);

  void make_room_in(step& parent, block_ptr& node, std::uint64_t key);
  void split_root(const block_ptr& root);
  bool even_out(const block_ptr& parent, std::uint32_t left, const block_ptr& node);
  bool can_take_entries(block_nr sibling);
  void split_in_two(const block_ptr& parent, std::uint32_t i, const block_ptr& node);
  void split_in_three(const block_ptr& parent, std::uint32_t i, const block_ptr& node);

  block_ptr fill_for_removal(const block_ptr& parent, std::uint64_t key);
  void pull_up_only_child(const block_ptr& node);

  transaction_manager& transaction_;
  btree_values values_;
};

}  // namespace pd
