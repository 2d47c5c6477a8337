// Changes a bitset in a transaction (doc/format.md 4 and 9). One 64-bit word is kept back while
// bits of it are set, and written by flush(), which every commit must be preceded by. Errors as
// btree_editor's. Not thread safe.
#pragma once

#include "persistent-data/array_editor.h"

namespace pd {

class bitset_editor {
 public:
  // A bitset that is there already. The caller's root counts as one reference, and moves with every
  // change: see root().
  bitset_editor(transaction_manager& transaction, block_nr root, std::uint64_t nr_bits)
      : words_(transaction, bitset_root(root, nr_bits)), nr_bits_(nr_bits) {}

  // A new bitset in which nothing is set.
  static bitset_editor make(transaction_manager& transaction, std::uint64_t nr_bits);

  // After flush(), the root of all that was set.
  block_nr root() const { return words_.where().root; }
  std::uint64_t nr_bits() const { return nr_bits_; }

  // Bits below nr_bits().
  bool test(std::uint64_t bit);
  void set(std::uint64_t bit);

  // New bits are not set; bits that are cut off are forgotten. Flushes.
  void resize(std::uint64_t nr_bits);

  void flush();

  // Drops the caller's reference to the bitset; it must not be used any more.
  void destroy() { words_.destroy(); }

 private:
  bitset_editor(array_editor words, std::uint64_t nr_bits) : words_(words), nr_bits_(nr_bits) {}

  void fetch_word_of(std::uint64_t bit);

  array_editor words_;
  std::uint64_t nr_bits_;
  std::uint64_t word_at_ = UINT64_MAX;  // none
  std::uint64_t word_ = 0;
  bool word_changed_ = false;
};

}  // namespace pd
