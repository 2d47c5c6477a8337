// The data blocks that were written in an era or later, one bit a block. Once made, any thread may
// ask.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <vector>

#include "era/format/block_range.h"
#include "era/read/era_reader.h"

namespace era {

class written_blocks {
 public:
  // Reads all that decides the list, by era_reader::written_since().
  written_blocks(era_reader& eras, std::uint32_t since, std::uint64_t nr_blocks);

  // The list with these bits, those from nr_blocks on being 0.
  written_blocks(std::vector<std::uint64_t> words, std::uint64_t nr_blocks)
      : nr_blocks_(nr_blocks), words_(std::move(words)) {}

  // The bits come in words of 64 blocks, the lowest bit first.
  std::uint64_t nr_words() const { return words_.size(); }

  // The runs of listed blocks that begin in word i; valid while `room` is.
  using room_for_runs = std::array<block_range, pd::bits_per_word / 2>;
  std::span<const block_range> runs_of_word(std::uint64_t i, room_for_runs& room) const;

  // The word in which the first run begins; nr_words() if nothing is listed.
  std::uint64_t first_word() const;

  // Blocks that are listed.
  std::uint64_t size() const;

 private:
  std::uint64_t end_of_run(std::uint64_t i) const;

  std::uint64_t nr_blocks_;
  std::vector<std::uint64_t> words_;
};

}  // namespace era
