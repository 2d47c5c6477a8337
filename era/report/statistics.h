// When the blocks of a device were last written, in numbers: by era, and by region of the device
// (doc/format.md 5). A sink of era/contents.h for the last-written eras. Memory depends on what is
// asked for alone: not on the number of blocks, nor on that of eras. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "era/contents.h"
#include "era/format/superblock.h"
#include "era/report/era_bins.h"

namespace era {

// A part of the device, as large as the others, to a block.
struct region {
  std::uint64_t first = 0;  // data blocks
  std::uint64_t end = 0;
  std::uint64_t written = 0;      // blocks that were ever written
  std::uint64_t sum_of_eras = 0;  // of the last-written eras of its blocks

  // How hot it is: the mean of the eras in which its blocks were last written, with 0 for those
  // that never were.
  double mean_era() const {
    return end == first ? 0 : static_cast<double>(sum_of_eras) / static_cast<double>(end - first);
  }
};

struct era_statistics {
  superblock_facts facts;
  std::vector<era_bins::bin> eras;  // in one region, the device; ascending
  std::uint64_t never = 0;          // blocks that were never written
  std::vector<region> regions;
  std::vector<era_bins::bin> map;  // by region

  std::uint64_t block_bytes() const { return facts.block_size * sector_bytes; }
  std::uint64_t device_bytes() const { return facts.nr_blocks * block_bytes(); }
};

struct statistics_options {
  std::size_t most_eras = 32;      // bins of `eras`, at least 1
  std::size_t most_map_eras = 48;  // bins of `map`, at least 1
  std::size_t nr_regions = 192;    // at least 1; fewer where there are fewer blocks
};

class statistics_sink final : public contents_sink {
 public:
  explicit statistics_sink(const statistics_options& options) : options_(options) {}

  void begin(const superblock_facts& facts) override;
  void begin_writeset(std::uint32_t, std::uint32_t, text_position) override {}
  void bits(std::span<const contents_run>) override {}
  void bits(window_ptr) override {}
  void end_writeset() override {}
  void eras(std::span<const contents_run> runs) override;
  void eras(window_ptr window) override;
  void end() override;

  // Once it has ended.
  const era_statistics& result() const { return result_; }

 private:
  std::size_t region_of(std::uint64_t block) const;
  void add(std::uint64_t first, std::uint64_t end, std::uint32_t era);

  statistics_options options_;
  era_statistics result_;
  std::optional<era_bins> eras_;
  std::optional<era_bins> map_;
};

}  // namespace era
