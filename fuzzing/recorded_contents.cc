#include "fuzzing/recorded_contents.h"

#include <algorithm>

#include "base/bytes.h"

namespace fuzz {
namespace {

constexpr std::uint64_t bits_per_word = 64;

}  // namespace

std::vector<std::uint32_t> last_written(const recorded_contents& in) {
  std::vector<std::uint32_t> eras = in.eras;
  for (const recorded_writeset& set : in.writesets) {
    const std::uint64_t end = std::min(set.nr_bits, in.nr_blocks);
    for (std::uint64_t block = 0; block < end; ++block) {
      if ((set.words[block / bits_per_word] >> block % bits_per_word & 1) != 0) {
        eras[block] = std::max(eras[block], set.era);
      }
    }
  }
  return eras;
}

void contents_recorder::begin(const era::superblock_facts& facts) {
  contents.block_size = facts.block_size;
  contents.nr_blocks = facts.nr_blocks;
  contents.current_era = facts.current_era;
  contents.eras.resize(facts.nr_blocks);
}

void contents_recorder::begin_writeset(std::uint32_t era, std::uint32_t nr_bits,
                                       era::text_position /*at*/) {
  contents.writesets.push_back({era, nr_bits, {}});
  contents.writesets.back().words.resize(base::ceil_div(nr_bits, bits_per_word));
}

void contents_recorder::bits(std::span<const era::contents_run> runs) {
  std::vector<std::uint64_t>& words = contents.writesets.back().words;
  for (const era::contents_run& run : runs) {
    for (std::uint64_t i = run.first; run.value != 0 && i < std::uint64_t{run.first} + run.count;
         ++i) {
      words.at(i / bits_per_word) |= std::uint64_t{1} << i % bits_per_word;
    }
  }
}

void contents_recorder::bits(era::window_ptr window) {
  std::vector<std::uint64_t>& words = contents.writesets.back().words;
  for (std::uint64_t i = 0; i < base::ceil_div(window->count, bits_per_word); ++i) {
    words.at(window->first / bits_per_word + i) = window->bits.at(i);
  }
}

void contents_recorder::eras(std::span<const era::contents_run> runs) {
  for (const era::contents_run& run : runs) {
    for (std::uint64_t i = run.first; i < std::uint64_t{run.first} + run.count; ++i) {
      contents.eras.at(i) = run.value;
    }
  }
}

void contents_recorder::eras(era::window_ptr window) {
  for (std::uint64_t i = 0; i < window->count; ++i) {
    contents.eras.at(window->first + i) = window->eras.at(i);
  }
}

}  // namespace fuzz
