#include "era/report/statistics.h"

#include <algorithm>

namespace era {

void statistics_sink::begin(const superblock_facts& facts) {
  result_.facts = facts;
  const std::uint64_t nr_blocks = facts.nr_blocks;
  const std::uint64_t nr_regions = std::min<std::uint64_t>(nr_blocks, options_.nr_regions);
  for (std::uint64_t i = 0; i < nr_regions; ++i) {
    result_.regions.push_back({i * nr_blocks / nr_regions, (i + 1) * nr_blocks / nr_regions, 0, 0});
  }
  eras_.emplace(options_.most_eras, 1, facts.current_era);
  map_.emplace(options_.most_map_eras, result_.regions.size(), facts.current_era);
}

void statistics_sink::eras(std::span<const contents_run> runs) {
  for (const contents_run& run : runs) {
    add(run.first, std::uint64_t{run.first} + run.count, run.value);
  }
}

void statistics_sink::eras(window_ptr window) {
  const std::vector<std::uint32_t>& eras = window->eras;
  for (std::uint64_t at = 0, end = 0; at < window->count; at = end) {
    for (end = at + 1; end < window->count && eras[end] == eras[at]; ++end) {
    }
    add(window->first + at, window->first + end, eras[at]);
  }
}

// The last one that begins at the block or before it.
std::size_t statistics_sink::region_of(std::uint64_t block) const {
  return ((block + 1) * result_.regions.size() - 1) / result_.facts.nr_blocks;
}

void statistics_sink::add(std::uint64_t first, std::uint64_t end, std::uint32_t era) {
  if (era == 0) {
    return;
  }
  eras_->add(era, 0, end - first);
  while (first < end) {
    const std::size_t i = region_of(first);
    region& in = result_.regions[i];
    const std::uint64_t count = std::min(end, in.end) - first;
    map_->add(era, i, count);
    in.written += count;
    in.sum_of_eras += count * era;
    first += count;
  }
}

void statistics_sink::end() {
  result_.eras = eras_->bins();
  result_.map = map_->bins();
  result_.never = result_.facts.nr_blocks;
  for (const region& one : result_.regions) {
    result_.never -= one.written;
  }
}

}  // namespace era
