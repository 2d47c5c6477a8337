#include "era/read/metadata.h"

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

  std::optional<superblock> read_superblock() { return era::read_superblock(reader, 0, problems); }

  era::metadata read() {
    pd::walk_context context(reader);
    return era::read_metadata(context, live, false, problems);
  }

  pd::memory_device device{blocks_on_device};
  superblock live;
  pd::block_reader reader{device};
  problem_recorder problems;
};

model small_model() {
  model m;
  m.current_era = 7;
  m.array.assign(100, 3);
  return m;
}

TEST(read_metadata, has_the_open_writeset_alone_where_none_is_archived) {
  model m = small_model();
  m.current = std::vector<bool>(100);
  loaded from(m);
  const era::metadata read = from.read();
  EXPECT_TRUE(read.has_current);
  ASSERT_EQ(read.writesets.size(), 1U);
  EXPECT_EQ(read.nr_archived(), 0U);
  EXPECT_EQ(read.writesets[0].era, 7U);
  EXPECT_EQ(from.problems.text(), "");
}

TEST(read_metadata, puts_the_open_writeset_behind_the_archived_ones) {
  model m = small_model();
  m.archived = {{5, std::vector<bool>(90)}, {6, std::vector<bool>(100)}};
  m.current = std::vector<bool>(100);
  loaded from(m);
  const era::metadata read = from.read();
  ASSERT_EQ(read.writesets.size(), 3U);
  EXPECT_EQ(read.writesets[0].nr_bits, 90U);
  EXPECT_EQ(read.writesets[2].era, 7U);
  EXPECT_EQ(read.find_archived(6), 1U);
  EXPECT_EQ(read.find_archived(7), std::nullopt);
}

TEST(read_metadata, finds_an_era_both_open_and_archived) {
  model m = small_model();
  m.archived = {{7, std::vector<bool>(100)}};
  m.current = std::vector<bool>(100);
  loaded from(m);
  EXPECT_EQ(from.read().find_archived(7), 0U);
  EXPECT_EQ(from.problems.names(), std::vector<std::string>{"writeset-era"});
}

TEST(read_metadata, drops_an_open_writeset_longer_than_the_device_can_hold) {
  model m = small_model();
  m.archived = {{6, std::vector<bool>(100)}};
  m.current = std::vector<bool>(100);
  loaded from(m);
  from.live.current_nr_bits = blocks_on_device * 509 * 64 + 1;
  const era::metadata read = from.read();
  EXPECT_FALSE(read.has_current);
  EXPECT_TRUE(read.lost_writesets);
  ASSERT_EQ(read.writesets.size(), 1U);
  EXPECT_EQ(read.writesets[0].era, 6U);
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
