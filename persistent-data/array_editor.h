// Changes an array of 32 or 64-bit elements in a transaction, copy on write (doc/format.md 4 and
// 9). Errors as btree_editor's. Not thread safe.
#pragma once

#include "persistent-data/array.h"
#include "persistent-data/btree_editor.h"

namespace pd {

class array_editor {
 public:
  // An array that is there already. The caller's root counts as one reference, and moves with every
  // change: see where().
  array_editor(transaction_manager& transaction, const array_root& array);

  // A new array of length 0, with values of 4 or 8 bytes.
  static array_editor make_empty(transaction_manager& transaction, std::uint32_t value_size);

  const array_root& where() const { return array_; }

  // Element i, below the length.
  std::uint64_t get(std::uint64_t i);
  void set(std::uint64_t i, std::uint64_t value);

  // New elements are 0.
  void resize(std::uint64_t nr_elements);

  // Drops the caller's reference to the array; it must not be used any more.
  void destroy();

 private:
  void require_below_end(std::uint64_t i) const;
  block_ptr read_block(std::uint64_t key);
  block_ptr shadow_block(std::uint64_t key);
  void require_sound(cached_block& block, std::uint64_t key);
  std::byte* element(const block_ptr& block, std::uint64_t i) const;
  void remove_blocks_from(std::uint64_t key);
  void shrink(std::uint64_t nr_elements);
  void grow(std::uint64_t nr_elements);
  void append_block(std::uint64_t key);

  transaction_manager& transaction_;
  btree_editor tree_;
  array_root array_;
};

}  // namespace pd
