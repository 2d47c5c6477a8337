#include "era/report/era_bins.h"

#include <algorithm>
#include <utility>

namespace era {

void era_bins::add(std::uint32_t era, std::size_t region, std::uint64_t blocks) {
  if (last_counts_ == nullptr || key_of(era) != last_key_) {
    while (!counts_.contains(key_of(era)) && counts_.size() == most_) {
      widen();
    }
    last_key_ = key_of(era);
    last_counts_ = &counts_.try_emplace(last_key_, nr_regions_).first->second;
  }
  (*last_counts_)[region] += blocks;
}

void era_bins::widen() {
  ++shift_;
  last_counts_ = nullptr;
  for (auto& [key, blocks] : std::exchange(counts_, {})) {
    counts& wider = counts_.try_emplace(key >> 1, nr_regions_).first->second;
    for (std::size_t i = 0; i < nr_regions_; ++i) {
      wider[i] += blocks[i];
    }
  }
}

std::vector<era_bins::bin> era_bins::bins() const {
  std::vector<bin> all;
  for (const auto& [key, blocks] : counts_) {
    const std::uint64_t first = std::uint64_t{key} << shift_;
    const std::uint64_t last = first + (std::uint64_t{1} << shift_) - 1;
    all.push_back({static_cast<std::uint32_t>(std::max<std::uint64_t>(first, 1)),
                   static_cast<std::uint32_t>(std::min<std::uint64_t>(last, current_era_)),
                   blocks});
  }
  std::sort(all.begin(), all.end(), [](const bin& a, const bin& b) { return a.first < b.first; });
  return all;
}

}  // namespace era
