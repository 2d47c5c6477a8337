#include "persistent-data/bitset_editor.h"

#include <algorithm>
#include <stdexcept>

namespace pd {
namespace {

std::uint64_t mask_of(std::uint64_t bit) {
  return std::uint64_t{1} << bit % bits_per_word;
}

}  // namespace

bitset_editor bitset_editor::make(transaction_manager& transaction, std::uint64_t nr_bits) {
  bitset_editor made(array_editor::make_empty(transaction, word_size), 0);
  made.resize(nr_bits);
  return made;
}

void bitset_editor::fetch_word_of(std::uint64_t bit) {
  if (bit >= nr_bits_) {
    throw std::out_of_range("bit " + std::to_string(bit) + " of " + std::to_string(nr_bits_));
  }
  if (word_at_ != bit / bits_per_word) {
    flush();
    word_ = words_.get(bit / bits_per_word);
    word_at_ = bit / bits_per_word;
  }
}

bool bitset_editor::test(std::uint64_t bit) {
  fetch_word_of(bit);
  return (word_ & mask_of(bit)) != 0;
}

void bitset_editor::set(std::uint64_t bit) {
  fetch_word_of(bit);
  word_changed_ = word_changed_ || (word_ & mask_of(bit)) == 0;
  word_ |= mask_of(bit);
}

void bitset_editor::resize(std::uint64_t nr_bits) {
  // Bits beyond the end are 0, so that they do not appear when the bitset grows; but others may
  // have left some.
  if (const std::uint64_t end = std::min(nr_bits, nr_bits_); end % bits_per_word != 0) {
    fetch_word_of(end - 1);
    const std::uint64_t kept = word_ & (mask_of(end) - 1);
    word_changed_ = word_changed_ || kept != word_;
    word_ = kept;
  }
  flush();
  word_at_ = UINT64_MAX;
  words_.resize(base::ceil_div(nr_bits, bits_per_word));
  nr_bits_ = nr_bits;
}

void bitset_editor::flush() {
  if (word_changed_) {
    words_.set(word_at_, word_);
    word_changed_ = false;
  }
}

}  // namespace pd
