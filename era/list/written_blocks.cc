#include "era/list/written_blocks.h"

#include <bit>

namespace era {

using pd::bits_per_word;

written_blocks::written_blocks(era_reader& eras, std::uint32_t since, std::uint64_t nr_blocks)
    : nr_blocks_(nr_blocks), words_(base::ceil_div(nr_blocks, bits_per_word)) {
  eras.written_since(since, words_);
}

std::span<const block_range> written_blocks::runs_of_word(std::uint64_t i,
                                                          room_for_runs& room) const {
  const std::uint64_t word = words_[i];
  const std::uint64_t before = i > 0 ? words_[i - 1] >> (bits_per_word - 1) : 0;
  std::uint64_t ends = ~word & (word << 1 | before);
  if (before != 0) {
    ends &= ends - 1;  // of the run that goes on from the word before, if it ends here
  }
  std::size_t count = 0;
  for (std::uint64_t rest = word & ~(word << 1 | before); rest != 0; rest &= rest - 1) {
    const std::uint64_t first = bits_per_word * i + static_cast<unsigned>(std::countr_zero(rest));
    const std::uint64_t end = bits_per_word * i + static_cast<unsigned>(std::countr_zero(ends));
    room[count++] = {first, ends != 0 ? end : end_of_run(i + 1)};
    ends &= ends - 1;
  }
  return std::span(room).first(count);
}

// Of a run that goes on at the beginning of word i.
std::uint64_t written_blocks::end_of_run(std::uint64_t i) const {
  while (i < words_.size() && ~words_[i] == 0) {
    ++i;
  }
  return i < words_.size() ? bits_per_word * i + static_cast<unsigned>(std::countr_one(words_[i]))
                           : nr_blocks_;
}

std::uint64_t written_blocks::first_word() const {
  std::uint64_t i = 0;
  while (i < words_.size() && words_[i] == 0) {
    ++i;
  }
  return i;
}

std::uint64_t written_blocks::size() const {
  std::uint64_t count = 0;
  for (const std::uint64_t word : words_) {
    count += static_cast<unsigned>(std::popcount(word));
  }
  return count;
}

}  // namespace era
