// The statistics against a plain count of the same eras.
#include "era/report/statistics.h"

#include <gtest/gtest.h>

#include <map>
#include <numeric>
#include <random>

namespace {

using era::era_bins;
using era::statistics_sink;

std::uint64_t sum(const std::vector<std::uint64_t>& counts) {
  return std::accumulate(counts.begin(), counts.end(), std::uint64_t{0});
}

TEST(era_bins, give_each_era_its_own_as_long_as_they_are_few) {
  era_bins bins(3, 2, 4294967295);
  bins.add(7, 0, 10);
  bins.add(4294967295, 1, 5);
  bins.add(7, 1, 1);
  bins.add(1, 0, 2);
  const auto found = bins.bins();
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].first, 1U);
  EXPECT_EQ(found[0].last, 1U);
  EXPECT_EQ(found[1].blocks, (std::vector<std::uint64_t>{10, 1}));
  EXPECT_EQ(found[2].last, 4294967295U);
}

TEST(era_bins, become_wider_and_lose_nothing) {
  std::mt19937_64 random(1);
  for (const std::size_t most : {1U, 2U, 5U, 100U}) {
    for (const std::uint32_t current : {10U, 5000U, 4294967295U}) {
      era_bins bins(most, 1, current);
      std::map<std::uint32_t, std::uint64_t> counts;
      for (int i = 0; i < 2000; ++i) {
        const auto era = static_cast<std::uint32_t>(1 + random() % current);
        bins.add(era, 0, 3);
        counts[era] += 3;
      }
      const auto found = bins.bins();
      EXPECT_LE(found.size(), most);
      std::uint32_t last = 0;
      for (const era_bins::bin& bin : found) {
        EXPECT_GT(bin.first, last);
        EXPECT_LE(bin.last, current);
        last = bin.last;
        std::uint64_t expected = 0;
        for (auto at = counts.lower_bound(bin.first); at != counts.end() && at->first <= last;
             ++at) {
          expected += at->second;
        }
        EXPECT_EQ(sum(bin.blocks), expected);
        counts.erase(counts.lower_bound(bin.first), counts.upper_bound(last));
      }
      EXPECT_TRUE(counts.empty());
    }
  }
}

// Both forms in which a source may give eras.
enum class form { window, runs };

void send(const std::vector<std::uint32_t>& eras, form as, statistics_sink& into) {
  into.begin({128, static_cast<std::uint32_t>(eras.size()), 50});
  if (as == form::window) {
    auto window = std::make_shared<era::contents_window>();
    window->count = eras.size();
    window->eras = eras;
    into.eras(window);
  } else {
    for (std::uint32_t i = 0; i < eras.size(); ++i) {
      const era::contents_run run{i, 1, eras[i], {}};
      into.eras({&run, 1});
    }
  }
  into.end();
}

TEST(statistics, count_every_block_in_its_era_and_region) {
  std::mt19937_64 random(2);
  for (const std::size_t nr_blocks : {0U, 1U, 7U, 100U, 1000U}) {
    std::vector<std::uint32_t> eras(nr_blocks);
    for (std::uint32_t& era : eras) {
      era = random() % 3 == 0 ? 0 : static_cast<std::uint32_t>(random() % 51);
    }
    for (const std::size_t nr_regions : {1U, 3U, 64U, 256U}) {
      for (const form as : {form::window, form::runs}) {
        statistics_sink sink({100, 100, nr_regions});
        send(eras, as, sink);
        const era::era_statistics& found = sink.result();
        std::map<std::uint32_t, std::uint64_t> counts;
        for (const std::uint32_t era : eras) {
          ++counts[era];
        }
        EXPECT_EQ(found.never, counts[0]);
        counts.erase(0);
        ASSERT_EQ(found.eras.size(), counts.size());
        ASSERT_EQ(found.map.size(), counts.size());
        EXPECT_EQ(found.regions.size(), std::min(nr_blocks, nr_regions));
        std::uint64_t next = 0;
        for (std::size_t i = 0; i < found.regions.size(); ++i) {
          const era::region& in = found.regions[i];
          EXPECT_EQ(in.first, next);
          next = in.end;
          EXPECT_LE(in.end - in.first, nr_blocks / found.regions.size() + 1);
          EXPECT_GE(in.end - in.first, nr_blocks / found.regions.size());
          EXPECT_EQ(in.sum_of_eras,
                    std::accumulate(eras.begin() + static_cast<std::ptrdiff_t>(in.first),
                                    eras.begin() + static_cast<std::ptrdiff_t>(in.end),
                                    std::uint64_t{0}));
        }
        EXPECT_EQ(next, nr_blocks);
        for (std::size_t i = 0; i < found.eras.size(); ++i) {
          EXPECT_EQ(found.eras[i].blocks, std::vector<std::uint64_t>{counts[found.eras[i].first]});
          EXPECT_EQ(sum(found.map[i].blocks), counts[found.map[i].first]);
        }
      }
    }
  }
}

}  // namespace
