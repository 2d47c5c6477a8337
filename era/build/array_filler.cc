#include "era/build/array_filler.h"

#include <algorithm>
#include <string>
#include <utility>

namespace era {
namespace {

using pd::bits_per_word;

pd::array_shape shape_of(array_filler::kind of, std::uint64_t nr_blocks) {
  return of == array_filler::kind::eras ? era_array_shape(nr_blocks) : pd::bitset_shape(nr_blocks);
}

// Where the word with that bit begins, in bytes.
std::uint64_t place_of_word(std::uint64_t bit) {
  return pd::word_size * (bit / bits_per_word);
}

// A word at a time: one element of a document may stand for billions of bits.
void set_bits(std::byte* values, std::uint64_t first, std::uint64_t end) {
  while (first < end) {
    const std::uint64_t begin = first % bits_per_word;
    const std::uint64_t count = std::min(bits_per_word - begin, end - first);
    const std::uint64_t ones = ~std::uint64_t{0} >> (bits_per_word - count);
    std::byte* const word = values + place_of_word(first);
    base::put_le64(word, base::get_le64(word) | ones << begin);
    first += count;
  }
}

}  // namespace

array_filler::array_filler(pd::bulk_writer& writer, kind of, std::uint64_t nr_blocks)
    : writer_(writer), kind_(of), builder_(writer, shape_of(of, nr_blocks)), reopened_block_(1) {}

std::uint32_t array_filler::value_at(const std::byte* values, std::uint64_t i) const {
  if (kind_ == kind::eras) {
    return base::get_le32(values + era_size * i);
  }
  return static_cast<std::uint32_t>(base::get_le64(values + place_of_word(i)) >> i % bits_per_word &
                                    1);
}

void array_filler::set(std::byte* values, std::uint64_t first, std::uint64_t end,
                       std::uint32_t value) const {
  if (kind_ == kind::bits) {
    if (value != 0) {
      set_bits(values, first, end);
    }
    return;
  }
  for (std::uint64_t i = first; i < end; ++i) {
    base::put_le32(values + era_size * i, value);
  }
}

void array_filler::put(std::span<const contents_run> runs) {
  for (const contents_run& run : runs) {
    if (run.first >= next_) {
      put_in_order(run);
    } else if (run.first < dense_end_) {
      refuse_twice(run);
    } else {
      late_.add(run);
    }
  }
}

void array_filler::put_in_order(const contents_run& run) {
  const std::uint64_t first = run.first;
  const std::uint64_t end = first + run.count;
  if (first == dense_end_) {
    dense_end_ = end;
  } else if (run.value == 0) {
    note_given_zeros(run);
  }
  next_ = end;
  if (run.value != 0) {
    fill(first, end, run.value);
  }
}

void array_filler::note_given_zeros(const contents_run& run) {
  if (zero_ && std::uint64_t{zero_->first} + zero_->count == run.first) {
    zero_->count += run.count;
    return;
  }
  if (zero_) {
    zeros_.add(*zero_);
  }
  zero_ = run;
}

void array_filler::fill(std::uint64_t first, std::uint64_t end, std::uint32_t value) {
  while (first < end) {
    const std::uint64_t key = first / capacity();
    const std::uint64_t stop = std::min(end, (key + 1) * capacity());
    set(builder_.values_of(key), first - key * capacity(), stop - key * capacity(), value);
    first = stop;
  }
}

pd::block_nr array_filler::finish() {
  put_late_runs();
  return builder_.finish();
}

void array_filler::put_late_runs() {
  if (late_.empty()) {
    return;
  }
  if (zero_) {
    zeros_.add(*zero_);
  }
  zero_ = zeros_.next();
  std::uint64_t late_end = 0;
  while (const std::optional<contents_run> run = late_.next()) {
    if (run->first < late_end) {
      refuse_twice(*run);
    }
    late_end = std::uint64_t{run->first} + run->count;
    put_late(*run);
  }
  close_reopened();
}

void array_filler::put_late(const contents_run& run) {
  const std::uint64_t end = std::uint64_t{run.first} + run.count;
  if (zero_was_given(run.first, end)) {
    refuse_twice(run);
  }
  for (std::uint64_t first = run.first; first < end;) {
    const std::uint64_t stop = std::min(end, (first / capacity() + 1) * capacity());
    put_late_piece(run, first, stop);
    first = stop;
  }
}

// A piece of a run that lies within one array block. Blocks in order before it that were given with
// a value show by that value.
void array_filler::put_late_piece(const contents_run& run, std::uint64_t first, std::uint64_t end) {
  const std::uint64_t key = first / capacity();
  const std::uint64_t base = key * capacity();
  std::byte* const values = key < builder_.written().size() ? reopen(key) : builder_.values_of(key);
  for (std::uint64_t block = first; block < std::min(end, next_); ++block) {
    if (value_at(values, block - base) != 0) {
      refuse_twice(run);
    }
  }
  set(values, first - base, end - base, run.value);
}

// The values of an array block that the builder has written; late runs come sorted, so each block
// is fetched and written back once.
std::byte* array_filler::reopen(std::uint64_t key) {
  if (reopened_ != key) {
    close_reopened();
    writer_.read_back(pd::array_block, builder_.written()[key], reopened_block_.block(0));
    reopened_ = key;
  }
  return reopened_block_.block(0) + pd::array_header_size;
}

void array_filler::close_reopened() {
  if (reopened_) {
    writer_.rewrite(pd::array_block, builder_.written()[*reopened_], reopened_block_.block(0));
    reopened_.reset();
  }
}

// Asked in ascending order.
bool array_filler::zero_was_given(std::uint64_t first, std::uint64_t end) {
  while (zero_ && std::uint64_t{zero_->first} + zero_->count <= first) {
    zero_ = zeros_.next();
  }
  return zero_ && zero_->first < end;
}

void array_filler::refuse_twice(const contents_run& run) const {
  throw contents_conflict(
      "block " + std::to_string(run.first) +
          (run.count > 1 ? " or one of the " + std::to_string(run.count - 1) + " after it" : "") +
          " is given twice",
      run.at);
}

}  // namespace era
