// What metadata says, in plain vectors: a sink of era/contents.h that remembers, and the plainest
// way to tell from it in which era a block was last written, to hold the readers against. Memory: 4
// bytes a data block, and a bit for each block of a writeset. Not thread safe.
#pragma once

#include <cstdint>
#include <vector>

#include "era/contents.h"

namespace fuzz {

struct recorded_writeset {
  std::uint32_t era = 0;
  std::uint32_t nr_bits = 0;
  std::vector<std::uint64_t> words;

  bool operator==(const recorded_writeset&) const = default;
};

struct recorded_contents {
  std::uint32_t block_size = 0;
  std::uint32_t nr_blocks = 0;
  std::uint32_t current_era = 0;
  std::vector<recorded_writeset> writesets;  // in the order given
  std::vector<std::uint32_t> eras;           // of the era array

  bool operator==(const recorded_contents&) const = default;
};

// By block.
std::vector<std::uint32_t> last_written(const recorded_contents& in);

class contents_recorder final : public era::contents_sink {
 public:
  void begin(const era::superblock_facts& facts) override;
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, era::text_position at) override;
  void bits(std::span<const era::contents_run> runs) override;
  void bits(era::window_ptr window) override;
  void end_writeset() override {}
  void eras(std::span<const era::contents_run> runs) override;
  void eras(era::window_ptr window) override;
  void end() override {}

  recorded_contents contents;
};

}  // namespace fuzz
