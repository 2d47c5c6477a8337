// The data blocks that were written in an era or later, one bit a block. Once made, any thread may
// ask.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "era/format/block_range.h"
#include "era/read/era_reader.h"

namespace era {

class written_blocks {
 public:
  // Reads all that decides the list, by era_reader::written_since().
  written_blocks(era_reader& eras, std::uint32_t since, std::uint64_t nr_blocks,
                 base::progress& progress);

  // The list with these bits, those from nr_blocks on being 0.
  written_blocks(std::vector<std::uint64_t> words, std::uint64_t nr_blocks)
      : nr_blocks_(nr_blocks), words_(std::move(words)) {}

  // Goes on with more blocks, none of which is listed.
  void grow_to(std::uint64_t nr_blocks);

  // Adds a run, which ends at nr_blocks at the latest, or the blocks of another list of as many
  // blocks; or takes those away.
  void add(const block_range& run);
  void remove(const written_blocks& others);

  std::uint64_t nr_blocks() const { return nr_blocks_; }

  // The bits come in words of 64 blocks, the lowest bit first.
  std::uint64_t nr_words() const { return words_.size(); }
  std::uint64_t word(std::uint64_t i) const { return words_[i]; }

  // The runs of listed blocks that begin in word i; valid while `room` is.
  using room_for_runs = std::array<block_range, pd::bits_per_word / 2>;
  std::span<const block_range> runs_of_word(std::uint64_t i, room_for_runs& room) const;

  // The first block that is listed, not before block `from`; nr_blocks() if none is.
  std::uint64_t first_from(std::uint64_t from) const;

  // The first run that begins at block `from` or after it; empty if there is none.
  std::optional<block_range> run_from(std::uint64_t from) const;

  struct totals {
    std::uint64_t blocks = 0;  // that are listed
    std::uint64_t ranges = 0;
  };
  totals count() const;

 private:
  std::uint64_t end_of_run(std::uint64_t i) const;

  std::uint64_t nr_blocks_;
  std::vector<std::uint64_t> words_;
};

// Calls `take(run)` for each run, in ascending order.
template <typename Take>
void for_each_run(const written_blocks& blocks, Take take) {
  written_blocks::room_for_runs room;
  for (std::uint64_t i = 0; i < blocks.nr_words(); ++i) {
    for (const block_range& run : blocks.runs_of_word(i, room)) {
      take(run);
    }
  }
}

}  // namespace era
