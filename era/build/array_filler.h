// Builds the era array, or a bitset, from runs in any order, and finds blocks that are given twice.
//
// Runs that ascend go straight into the array builder. What comes out of order is sorted aside and
// put in at the end: into blocks already built, or after them. That a block was given before shows
// by its value; zeros that were given are noted, but for those before the first gap. Memory is that
// of two sorters. Not thread safe.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "era/build/run_sorter.h"
#include "era/contents.h"
#include "era/format/era_array.h"
#include "persistent-data/array_builder.h"

namespace era {

class array_filler {
 public:
  enum class kind { eras, bits };

  // `nr_blocks` is the number of eras or bits.
  array_filler(pd::bulk_writer& writer, kind of, std::uint64_t nr_blocks);

  // Throws contents_conflict where a block is given twice; those out of order only in finish().
  void put(std::span<const contents_run> runs);

  // Writes what is left and returns the root.
  pd::block_nr finish();

 private:
  // Blocks that one array block holds, and how its values are read and written.
  std::uint64_t capacity() const {
    return kind_ == kind::eras ? eras_in_a_block
                               : pd::array_capacity(pd::word_size) * pd::bits_per_word;
  }
  std::uint32_t value_at(const std::byte* values, std::uint64_t i) const;
  void set(std::byte* values, std::uint64_t first, std::uint64_t end, std::uint32_t value) const;

  void put_in_order(const contents_run& run);
  void fill(std::uint64_t first, std::uint64_t end, std::uint32_t value);
  void note_given_zeros(const contents_run& run);
  void put_late_runs();
  void put_late(const contents_run& run);
  void put_late_piece(const contents_run& run, std::uint64_t first, std::uint64_t end);
  std::byte* reopen(std::uint64_t key);
  void close_reopened();
  bool zero_was_given(std::uint64_t first, std::uint64_t end);
  [[noreturn]] void refuse_twice(const contents_run& run) const;

  pd::bulk_writer& writer_;
  kind kind_;
  pd::array_builder builder_;
  std::uint64_t next_ = 0;            // after the last run in order
  std::uint64_t dense_end_ = 0;       // all blocks below were given
  run_sorter zeros_;                  // given as zero in order, after a gap
  std::optional<contents_run> zero_;  // the last of them; in the end the one next to be looked at
  run_sorter late_;
  std::optional<std::uint64_t> reopened_;  // key of the written array block in reopened_block_
  pd::block_buffer reopened_block_;
};

}  // namespace era
