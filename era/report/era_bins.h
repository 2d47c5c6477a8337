// Counts blocks by era and region in bounded memory: each era has a bin of its own as long as there
// are few of them; where there are more, neighbouring bins become one of twice the width. No block
// is lost to the totals. Era 0, "never written", is not counted here. Not thread safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace era {

class era_bins {
 public:
  struct bin {
    std::uint32_t first = 0;            // eras, both included
    std::uint32_t last = 0;             // no later than the current era
    std::vector<std::uint64_t> blocks;  // in each region
  };

  // At most `most` bins, at least 1; no era is later than `current_era`.
  era_bins(std::size_t most, std::size_t nr_regions, std::uint32_t current_era)
      : most_(most), nr_regions_(nr_regions), current_era_(current_era) {}

  // So many blocks of a region that were last written in `era`, which is not 0.
  void add(std::uint32_t era, std::size_t region, std::uint64_t blocks);

  // Those that have blocks, ascending.
  std::vector<bin> bins() const;

 private:
  using counts = std::vector<std::uint64_t>;

  // Up to 32 bits are shifted out.
  std::uint32_t key_of(std::uint64_t era) const {
    return static_cast<std::uint32_t>(era >> shift_);
  }
  void widen();

  std::size_t most_;
  std::size_t nr_regions_;
  std::uint32_t current_era_;
  unsigned shift_ = 0;                                // a bin is of 2^shift_ eras
  std::unordered_map<std::uint32_t, counts> counts_;  // by era >> shift_
  std::uint32_t last_key_ = 0;
  counts* last_counts_ = nullptr;  // of last_key_: neighbours are often of the same era
};

}  // namespace era
