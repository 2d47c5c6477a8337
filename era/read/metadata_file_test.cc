#include "era/read/metadata_file.h"

#include <gtest/gtest.h>

#include "era/read/metadata_test_support.h"
#include "persistent-data/memory_device.h"

namespace {

using era::superblock;
using era::test::metadata_maker;
using era::test::model;
using era::test::problem_recorder;

constexpr std::uint64_t blocks_on_device = 64;

// A device in memory, and what the loader makes of it.
struct loaded {
  explicit loaded(const model& from) : live(era::test::write_metadata(device, from)) {}

  std::optional<superblock> read_superblock() { return file.read_superblock(0, problems); }

  era::metadata read() { return file.read_state(live, era::metadata_state::live, problems); }

  pd::memory_device device{blocks_on_device};
  superblock live;
  era::metadata_file file{device};
  problem_recorder problems;
};

model small_model() {
  model m;
  m.current_era = 7;
  m.array.assign(100, 3);
  return m;
}

TEST(read_state, has_the_open_writeset_alone_where_none_is_archived) {
  model m = small_model();
  m.current = std::vector<bool>(100);
  loaded from(m);
  const era::metadata found = from.read();
  EXPECT_TRUE(found.has_current);
  ASSERT_EQ(found.writesets.size(), 1U);
  EXPECT_EQ(found.nr_archived(), 0U);
  EXPECT_EQ(found.writesets[0].era, 7U);
  EXPECT_EQ(from.problems.text(), "");
}

TEST(read_state, puts_the_open_writeset_after_the_archived_ones) {
  model m = small_model();
  m.archived = {{5, std::vector<bool>(90)}, {6, std::vector<bool>(100)}};
  m.current = std::vector<bool>(100);
  loaded from(m);
  const era::metadata found = from.read();
  ASSERT_EQ(found.writesets.size(), 3U);
  EXPECT_EQ(found.writesets[0].nr_bits, 90U);
  EXPECT_EQ(found.writesets[2].era, 7U);
  EXPECT_EQ(found.find_archived(6), 1U);
  EXPECT_EQ(found.find_archived(7), std::nullopt);
}

TEST(read_state, finds_an_era_both_open_and_archived) {
  model m = small_model();
  m.archived = {{7, std::vector<bool>(100)}};
  m.current = std::vector<bool>(100);
  loaded from(m);
  EXPECT_EQ(from.read().find_archived(7), 0U);
  EXPECT_EQ(from.problems.names(), std::vector<std::string>{"writeset-era"});
}

TEST(read_state, drops_an_open_writeset_longer_than_the_device_can_hold) {
  model m = small_model();
  m.archived = {{6, std::vector<bool>(100)}};
  m.current = std::vector<bool>(100);
  loaded from(m);
  from.live.current_nr_bits = blocks_on_device * 509 * 64 + 1;
  const era::metadata found = from.read();
  EXPECT_FALSE(found.has_current);
  EXPECT_TRUE(found.lost_writesets);
  ASSERT_EQ(found.writesets.size(), 1U);
  EXPECT_EQ(found.writesets[0].era, 6U);
  EXPECT_EQ(from.problems.names(), std::vector<std::string>{"writeset-size"});
}

TEST(read_superblock, takes_as_many_data_blocks_as_the_device_has_room_for_and_no_more) {
  loaded from(small_model());
  from.live.nr_blocks = blocks_on_device * 1018;
  metadata_maker::put_superblock(from.device, from.live);
  EXPECT_TRUE(from.read_superblock().has_value());
  EXPECT_EQ(from.problems.text(), "");
  ++from.live.nr_blocks;
  metadata_maker::put_superblock(from.device, from.live);
  EXPECT_FALSE(from.read_superblock().has_value());
  EXPECT_EQ(from.problems.names(), std::vector<std::string>{"superblock-nr-blocks"});
}

}  // namespace
