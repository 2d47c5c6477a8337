#include "era/rollback/invalidation.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file_test_support.h"

namespace {

era::stale_blocks stale_of(const std::vector<std::uint64_t>& blocks, std::uint32_t nr_blocks) {
  std::vector<std::uint64_t> words((nr_blocks + 63) / 64);
  for (const std::uint64_t block : blocks) {
    words[block / 64] |= std::uint64_t{1} << block % 64;
  }
  era::stale_blocks stale;
  stale.cache = {64, nr_blocks, true};
  stale.nr_mappings = 300;
  stale.nr_stale = blocks.size();
  stale.blocks = era::written_blocks(std::move(words), nr_blocks);
  return stale;
}

template <typename Print>
std::string printed(Print print) {
  const base::test::temporary_folder folder;
  base::output out(folder / "result");
  print(out);
  out.commit();
  return base::test::read_file(folder / "result");
}

std::string messages(const era::stale_blocks& stale) {
  return printed([&](base::output& out) { print_messages(stale, out); });
}

TEST(invalidation, names_blocks_as_the_target_takes_them) {
  EXPECT_EQ(messages(stale_of({9, 41, 42, 43, 44, 45, 46, 47, 48, 53}, 64)), "9 41-49 53\n");
  EXPECT_EQ(messages(stale_of({}, 64)), "");
  EXPECT_EQ(messages(stale_of({0, 63, 64}, 65)), "0 63-65\n");
}

TEST(invalidation, no_message_is_too_long_and_none_is_lost) {
  std::vector<std::uint64_t> blocks;
  for (std::uint64_t i = 0; i < 60000; i += 2) {
    blocks.push_back(i + 1000000);
  }
  const era::stale_blocks stale = stale_of(blocks, 2000000);
  std::vector<std::uint64_t> named;
  std::size_t nr_messages = 0;
  std::size_t longest = 0;
  make_messages(stale.blocks, [&](const std::string& arguments) {
    ++nr_messages;
    longest = std::max(longest, std::string(era::invalidate_message).size() + 1 + arguments.size());
    std::istringstream words(arguments);
    for (std::uint64_t block = 0; words >> block;) {
      named.push_back(block);
    }
  });
  EXPECT_EQ(named, blocks);
  EXPECT_LE(longest, era::longest_message);
  EXPECT_GT(longest, era::longest_message - 10);
  EXPECT_EQ(nr_messages, 8U);
}

TEST(invalidation, json_says_all_of_it) {
  const era::stale_blocks stale = stale_of({9, 41, 42}, 64);
  const era::changed_blocks changed{"meta", 128, {{}, 0}, 1000, 7};
  const std::string text = printed([&](base::output& out) {
    era::print_json({changed, stale, "cache"}, era::with_ranges::yes, out);
  });
  const nlohmann::json json = nlohmann::json::parse(text);
  EXPECT_EQ(json.at("tool"), "era_cache_invalidate");
  EXPECT_EQ(json.at("file"), "meta");
  EXPECT_EQ(json.at("cache"), "cache");
  EXPECT_EQ(json.at("block_size_sectors"), 128);
  EXPECT_EQ(json.at("cache_block_size_sectors"), 64);
  EXPECT_EQ(json.at("cache_block_size_bytes"), 32768);
  EXPECT_EQ(json.at("nr_cache_blocks"), 64);
  EXPECT_EQ(json.at("mappings"), 300);
  EXPECT_EQ(json.at("written_since"), 7);
  EXPECT_EQ(json.at("total_cblocks"), 3);
  EXPECT_EQ(json.at("total_bytes"), 3 * 32768);
  EXPECT_EQ(json.at("ranges").dump(), R"([{"begin":9,"end":10},{"begin":41,"end":43}])");
  const std::string totals = printed([&](base::output& out) {
    era::print_json({changed, stale, "cache"}, era::with_ranges::no, out);
  });
  EXPECT_EQ(nlohmann::json::parse(totals).count("ranges"), 0U);
}

TEST(invalidation, a_long_json_is_whole) {
  std::vector<std::uint64_t> blocks;
  for (std::uint64_t i = 0; i < 100000; i += 3) {
    blocks.push_back(i);
  }
  const era::stale_blocks stale = stale_of(blocks, 100000);
  const era::changed_blocks changed{"meta", 128, {{}, 0}, std::nullopt, std::nullopt};
  const std::string text = printed([&](base::output& out) {
    era::print_json({changed, stale, "cache"}, era::with_ranges::yes, out);
  });
  EXPECT_EQ(nlohmann::json::parse(text).at("ranges").size(), blocks.size());
}

TEST(invalidation, the_summary_has_the_totals) {
  const era::changed_blocks changed{"meta", 128, {{}, 0}, std::nullopt, std::nullopt};
  EXPECT_EQ(printed([&](base::output& out) {
              era::print_summary({changed, stale_of({9, 41, 42}, 64), "cache"}, out);
            }),
            "total_cblocks 3\ntotal_bytes 98304\nranges 2\nnr_cache_blocks 64\nmappings 300\n"
            "dirty_mappings 0\ndirty_cblocks 0\n");
}

}  // namespace
