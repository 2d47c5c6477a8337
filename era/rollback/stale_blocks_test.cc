#include "era/rollback/stale_blocks.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using era::changed_blocks;
using era::stale_blocks;

changed_blocks changed_by(const std::vector<bool>& written, std::uint64_t block_size) {
  std::vector<std::uint64_t> words((written.size() + 63) / 64);
  for (std::size_t i = 0; i < written.size(); ++i) {
    words[i / 64] |= std::uint64_t{written[i]} << i % 64;
  }
  return {"list", block_size, era::written_blocks(std::move(words), written.size()),
          written.size() * block_size, std::nullopt};
}

stale_blocks find(const changed_blocks& changed, const cache::cache_facts& facts,
                  const std::vector<cache::mapping>& mappings) {
  era::stale_finder finder(changed);
  finder.begin(facts);
  finder.add(mappings);
  return finder.finish();
}

std::set<std::uint64_t> blocks_of(const stale_blocks& found) {
  std::set<std::uint64_t> all;
  era::written_blocks::room_for_runs room;
  for (std::uint64_t i = 0; i < found.blocks.nr_words(); ++i) {
    for (const era::block_range& run : found.blocks.runs_of_word(i, room)) {
      for (std::uint64_t block = run.first; block < run.end; ++block) {
        all.insert(block);
      }
    }
  }
  return all;
}

using numbers = std::set<std::uint64_t>;

TEST(stale_blocks, are_those_of_the_origin_blocks_that_were_written) {
  const changed_blocks changed = changed_by({false, true, false, true}, 64);
  const stale_blocks found =
      find(changed, {64, 9, true}, {{8, 1, true}, {0, 0, true}, {4, 3, false}, {7, 2, false}});
  EXPECT_EQ(blocks_of(found), numbers({4, 8}));
  EXPECT_EQ(found.nr_mappings, 4U);
  EXPECT_EQ(found.nr_dirty, 2U);
  EXPECT_EQ(found.nr_stale, 2U);
  EXPECT_EQ(found.stale_bytes(), 65536U);
  EXPECT_EQ(found.nr_stale_dirty, 1U);
  EXPECT_EQ(found.first_stale_dirty, 8U);
  EXPECT_EQ(found.block_bytes(), 32768U);
}

TEST(stale_blocks, the_lowest_dirty_one_is_named) {
  const changed_blocks changed = changed_by(std::vector<bool>(8, true), 64);
  const stale_blocks found =
      find(changed, {64, 9, true}, {{5, 0, true}, {3, 1, false}, {2, 2, true}, {8, 3, true}});
  EXPECT_EQ(found.nr_stale_dirty, 3U);
  EXPECT_EQ(found.first_stale_dirty, 2U);
}

TEST(stale_blocks, cover_outwards_where_the_sizes_differ) {
  // Data blocks of 24 sectors, cache blocks of 192: 8 of them each.
  std::vector<bool> written(20);
  written[7] = true;
  EXPECT_EQ(blocks_of(find(changed_by(written, 24), {192, 3, true},
                           {{0, 0, false}, {1, 1, false}, {2, 2, false}})),
            numbers({0}));
  // 200 and 64: data block 1 is sectors 200 to 399, so origin blocks 3 to 6.
  EXPECT_EQ(blocks_of(find(changed_by({false, true, false}, 200), {64, 10, true},
                           {{0, 2, false},
                            {1, 3, false},
                            {2, 4, false},
                            {3, 5, false},
                            {4, 6, false},
                            {5, 7, false}})),
            numbers({1, 2, 3, 4}));
}

TEST(stale_blocks, the_last_block_may_be_partial) {
  // 5 × 24 sectors end in the middle of origin block 1.
  const changed_blocks changed = changed_by({false, false, false, false, true}, 24);
  EXPECT_EQ(blocks_of(find(changed, {64, 2, true}, {{0, 0, false}, {1, 1, false}})), numbers({1}));
  EXPECT_NE(message_of<cache::mapping_conflict>([&] {
              find(changed, {64, 2, true}, {{1, 2, false}});
            }).find("cache block 1 holds origin block 2, but the origin ends before block 2"),
            std::string::npos);
}

TEST(stale_blocks, an_origin_block_or_cache_block_named_twice_is_refused) {
  for (const bool end_is_known : {true, false}) {
    changed_blocks changed = changed_by(std::vector<bool>(100), 64);
    if (!end_is_known) {
      changed.origin_sectors.reset();
    }
    EXPECT_EQ(message_of<cache::mapping_conflict>([&] {
                find(changed, {64, 9, true}, {{3, 7, false}, {4, 8, false}, {5, 7, false}});
              }),
              "cache block 5 holds origin block 7, which another cache block holds as well");
    EXPECT_EQ(message_of<cache::mapping_conflict>([&] {
                find(changed, {64, 9, true}, {{3, 7, false}, {3, 8, false}});
              }),
              "cache block 3 is mapped twice");
  }
}

TEST(stale_blocks, where_the_origin_ends_may_be_unknown) {
  changed_blocks changed = changed_by({true, true}, 64);
  changed.origin_sectors.reset();
  const stale_blocks found =
      find(changed, {64, 9, true}, {{0, 1, false}, {1, 2, false}, {2, 1000000, false}});
  EXPECT_EQ(blocks_of(found), numbers({0}));
  EXPECT_NE(message_of<cache::mapping_conflict>([&] {
              find(changed, {64, 9, true}, {{0, cache::max_origin_block, false}});
            }),
            "");
}

TEST(stale_blocks, an_origin_that_would_need_too_much_memory_is_refused) {
  changed_blocks changed = changed_by({true}, 64);
  changed.origin_sectors = 64 * (era::most_rollback_blocks + 1);
  EXPECT_NE(message_of<cache::mapping_conflict>([&] { find(changed, {64, 9, true}, {}); }), "");
}

TEST(stale_blocks, large_numbers_do_not_wrap_around) {
  // An origin of nearly 2^64 bytes, with blocks as large as they can be.
  constexpr std::uint32_t size = UINT32_MAX / 64 * 64;
  std::vector<bool> written(8000000);
  written.back() = true;
  const changed_blocks changed = changed_by(written, size);
  EXPECT_EQ(blocks_of(find(changed, {size, 3, true}, {{0, 7999998, false}, {1, 7999999, false}})),
            numbers({1}));
}

// Sector by sector.
numbers expected(const std::vector<bool>& written, std::uint64_t block_size,
                 std::uint64_t cache_block_size, const std::vector<cache::mapping>& mappings) {
  numbers all;
  for (const cache::mapping& one : mappings) {
    const std::uint64_t first = one.origin_block * cache_block_size;
    for (std::uint64_t sector = first; sector < first + cache_block_size; ++sector) {
      const std::uint64_t block = sector / block_size;
      if (block < written.size() && written[block]) {
        all.insert(one.cache_block);
      }
    }
  }
  return all;
}

TEST(stale_blocks, are_what_a_count_of_sectors_says) {
  const struct {
    std::uint32_t block;
    std::uint32_t cache_block;
  } sizes[] = {{128, 128}, {128, 64}, {32, 128}, {200, 64}, {24, 192}, {8, 8192}, {8192, 64}};
  std::mt19937 random(1);
  for (const auto& size : sizes) {
    for (unsigned round = 0; round < 40; ++round) {
      std::vector<bool> written(1 + random() % 700);
      const unsigned one_in = 1 + random() % 40;
      for (std::size_t i = 0; i < written.size(); ++i) {
        written[i] = random() % one_in == 0;
      }
      const std::uint64_t nr_origin =
          (written.size() * size.block + size.cache_block - 1) / size.cache_block;
      std::vector<cache::mapping> mappings;
      std::uint32_t cache_block = 0;
      for (std::uint64_t block = 0; block < nr_origin && mappings.size() < 200; ++block) {
        if (random() % 3 != 0) {
          mappings.push_back({cache_block += 1 + random() % 3, block, random() % 2 == 0});
        }
      }
      std::shuffle(mappings.begin(), mappings.end(), random);
      const stale_blocks found = find(changed_by(written, size.block),
                                      {size.cache_block, cache_block + 1, true}, mappings);
      ASSERT_EQ(blocks_of(found), expected(written, size.block, size.cache_block, mappings))
          << size.block << " " << size.cache_block << " " << round;
    }
  }
}

}  // namespace
