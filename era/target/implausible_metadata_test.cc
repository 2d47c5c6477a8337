// Metadata of sound trees that say what no kernel leaves: what would shorten a list of written
// blocks is refused, and what would not is kept.
#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using era::superblock;
using era::test::eras_of;
using era::test::model;
using era::test::table_of;
using era::test::test_devices;

constexpr std::uint32_t nr_blocks = 100;
constexpr std::uint32_t block_size = 8;

// Era 3 archived, with blocks 2 to 9, and era 4 open unless it is said otherwise.
model usual() {
  model m;
  m.current_era = 4;
  m.array.resize(nr_blocks);
  m.archived.push_back({3, std::vector<bool>(nr_blocks)});
  std::fill_n(m.archived[0].bits.begin() + 2, 8, true);
  m.current = std::vector<bool>(nr_blocks);
  return m;
}

class implausible : public testing::Test {
 protected:
  void make(const model& from, const std::function<void(superblock&)>& change = {}) {
    era::test::metadata_maker maker(devices_.stable);
    superblock live = write_trees(maker, from);
    live.data_block_size = block_size;
    if (change) {
      change(live);
    }
    maker.finish(live);
  }

  std::string refusal() {
    return message_of<era::refused>(
        [&] { era::target(table_of(nr_blocks * block_size, block_size), devices_); });
  }

  test_devices devices_{60, nr_blocks* block_size};
};

TEST_F(implausible, eras_in_the_array_are_never_lowered_by_digestion) {
  model m = usual();
  m.array[3] = 4;
  m.array[5] = 2;
  m.archived.push_back({4, std::vector<bool>(nr_blocks)});
  m.current_era = 5;
  make(m);
  era::target target(table_of(nr_blocks * block_size, block_size), devices_);
  target.resume();
  era::test::settle(target);
  std::vector<std::uint32_t> before;
  for (std::uint32_t block = 0; block < nr_blocks; ++block) {
    before.push_back(m.last_written(block));
  }
  EXPECT_EQ(before[3], 4U);
  EXPECT_EQ(before[5], 3U);
  EXPECT_EQ(eras_of(devices_.stable), before);
}

TEST_F(implausible, is_not_what_these_tests_begin_with) {
  make(usual());
  EXPECT_NO_THROW(era::target(table_of(nr_blocks * block_size, block_size), devices_));
}

TEST_F(implausible, archived_eras_later_than_the_current_one_are_refused) {
  make(usual(), [](superblock& live) { live.current_era = 2; });
  EXPECT_NE(refusal().find("era 3 is archived, though the current era is 2"), std::string::npos);
}

TEST_F(implausible, an_archived_era_that_is_open_as_well_is_refused) {
  make(usual(), [](superblock& live) { live.current_era = 3; });
  EXPECT_NE(refusal().find("era 3 is archived, though the current era is 3 and open"),
            std::string::npos);
}

TEST_F(implausible, archived_eras_of_no_data_blocks_are_refused) {
  make(usual(), [](superblock& live) { live.nr_blocks = 0; });
  EXPECT_NE(refusal().find("no data blocks, but the current era is 4"), std::string::npos);
}

TEST_F(implausible, no_block_size_is_refused) {
  make(usual(), [](superblock& live) { live.data_block_size = 0; });
  EXPECT_NE(refusal().find("data block size is 0 sectors, not a positive multiple of 8"),
            std::string::npos);
}

TEST_F(implausible, requests_without_room_for_their_sectors_are_refused) {
  make(usual());
  era::target target(table_of(nr_blocks * block_size, block_size), devices_);
  target.resume();
  std::vector<std::byte> sectors(3 * era::sector_bytes);
  using kind = era::request::kind;
  EXPECT_THROW(target.map({kind::read, 0, 4, sectors}), std::invalid_argument);
  EXPECT_THROW(target.map({kind::read, 0, 2, sectors}), std::invalid_argument);
  EXPECT_THROW(target.map({kind::write, 0, 4, {}, sectors}), std::invalid_argument);
  EXPECT_THROW(target.map({kind::write, 0, 3}), std::invalid_argument);
  EXPECT_THROW(target.map({kind::discard, 0, 3, {}, sectors}), std::invalid_argument);
  EXPECT_TRUE(devices_.data.log.empty());
  EXPECT_NO_THROW(target.map({kind::read, 0, 3, sectors}));
  EXPECT_NO_THROW(target.map({kind::write, 0, 3, {}, sectors}));
}

}  // namespace
