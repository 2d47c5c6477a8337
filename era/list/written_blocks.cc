#include "era/list/written_blocks.h"

#include <algorithm>
#include <bit>

namespace era {

using pd::bits_per_word;

written_blocks::written_blocks(era_reader& eras, std::uint32_t since, std::uint64_t nr_blocks,
                               base::progress& progress)
    : nr_blocks_(nr_blocks), words_(base::ceil_div(nr_blocks, bits_per_word)) {
  eras.written_since(since, words_, progress);
}

void written_blocks::grow_to(std::uint64_t nr_blocks) {
  nr_blocks_ = nr_blocks;
  words_.resize(base::ceil_div(nr_blocks, bits_per_word));
}

void written_blocks::add(const block_range& run) {
  for (std::uint64_t at = run.first; at < run.end;) {
    const std::uint64_t bit = at % bits_per_word;
    const std::uint64_t count = std::min(bits_per_word - bit, run.end - at);
    const std::uint64_t ones = ~std::uint64_t{0} >> (bits_per_word - count);
    words_[at / bits_per_word] |= ones << bit;
    at += count;
  }
}

void written_blocks::remove(const written_blocks& others) {
  for (std::size_t i = 0; i < words_.size(); ++i) {
    words_[i] &= ~others.words_[i];
  }
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

std::uint64_t written_blocks::first_from(std::uint64_t from) const {
  if (from >= nr_blocks_) {
    return nr_blocks_;
  }
  std::uint64_t i = from / bits_per_word;
  std::uint64_t word = words_[i] & ~std::uint64_t{0} << from % bits_per_word;
  while (word == 0) {
    if (++i == words_.size()) {
      return nr_blocks_;
    }
    word = words_[i];
  }
  return bits_per_word * i + static_cast<unsigned>(std::countr_zero(word));
}

std::optional<block_range> written_blocks::run_from(std::uint64_t from) const {
  const std::uint64_t first = first_from(from);
  if (first == nr_blocks_) {
    return std::nullopt;
  }
  const std::uint64_t i = first / bits_per_word;
  const std::uint64_t after = ~words_[i] & ~std::uint64_t{0} << first % bits_per_word;
  const std::uint64_t end = after != 0
                                ? bits_per_word * i + static_cast<unsigned>(std::countr_zero(after))
                                : end_of_run(i + 1);
  return block_range{first, end};
}

written_blocks::totals written_blocks::count() const {
  totals found;
  std::uint64_t before = 0;  // the last bit of the word before
  for (const std::uint64_t word : words_) {
    found.blocks += static_cast<unsigned>(std::popcount(word));
    found.ranges += static_cast<unsigned>(std::popcount(word & ~(word << 1 | before)));
    before = word >> (bits_per_word - 1);
  }
  return found;
}

}  // namespace era
