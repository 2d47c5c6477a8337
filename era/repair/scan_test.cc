#include "era/repair/scan.h"

#include <gtest/gtest.h>

#include "era/read/metadata_test_support.h"
#include "persistent-data/faulty_device.h"

namespace {

using era::scan_result;
using era::test::metadata_maker;
using era::test::model;
using pd::block_nr;

constexpr std::uint32_t nr_blocks = 3000;  // three array blocks of eras

model plain_model() {
  model m;
  m.current_era = 9;
  m.array.assign(nr_blocks, 3);
  return m;
}

scan_result scanned(pd::block_device& device) {
  base::no_progress silent;
  return era::scan(device, silent);
}

TEST(scan, finds_the_length_in_the_era_array_and_the_latest_era_in_its_blocks) {
  pd::memory_device device(64);
  write_metadata(device, plain_model());
  const scan_result found = scanned(device);
  EXPECT_EQ(found.blocks_read, 63U);
  EXPECT_EQ(found.nr_blocks.value().value, nr_blocks);
  EXPECT_EQ(found.latest_era.value().value, 3U);
  EXPECT_FALSE(found.newest_copy);
}

TEST(scan, does_not_look_at_block_0) {
  pd::memory_device device(64);
  write_metadata(device, plain_model());
  const scan_result before = scanned(device);
  std::memset(device.block(0), 0, pd::block_size);
  EXPECT_EQ(scanned(device).recognized, before.recognized);
}

TEST(scan, finds_eras_and_lengths_in_writesets) {
  model m = plain_model();
  m.archived.push_back({8, std::vector<bool>(5000)});
  pd::memory_device device(64);
  write_metadata(device, m);
  const scan_result found = scanned(device);
  EXPECT_EQ(found.nr_blocks.value().value, 5000U);
  EXPECT_EQ(found.latest_era.value().value, 8U);
}

TEST(scan, does_not_take_a_bitset_for_eras) {
  model m = plain_model();
  m.current = std::vector<bool>(nr_blocks, true);
  pd::memory_device device(64);
  write_metadata(device, m);
  EXPECT_EQ(scanned(device).nr_blocks.value().value, nr_blocks);
  EXPECT_EQ(scanned(device).latest_era.value().value, 3U);
}

TEST(scan, finds_the_newest_superblock_of_a_metadata_snapshot) {
  pd::memory_device device(64);
  metadata_maker maker(device);
  era::superblock live = write_trees(maker, plain_model());
  for (const std::uint32_t era : {5U, 7U, 6U}) {
    era::superblock old = live;
    old.current_era = era;
    maker.snapshot_of(old);
  }
  maker.finish(live);
  const scan_result found = scanned(device);
  ASSERT_TRUE(found.newest_copy);
  EXPECT_EQ(found.newest_copy->current_era, 7U);
  EXPECT_EQ(found.newest_copy->data_block_size, 128U);
  EXPECT_EQ(found.latest_era.value().value, 7U);
}

TEST(scan, takes_a_last_array_block_that_cannot_be_read_as_full) {
  pd::memory_device device(64);
  const era::superblock live = write_metadata(device, plain_model());
  pd::test::spoil(device, pd::test::child_of(device, live.era_array_root, 2));
  EXPECT_EQ(scanned(device).nr_blocks.value().value, 3 * era::eras_in_a_block);
  for (block_nr i = 0; i < 2; ++i) {
    pd::test::spoil(device, pd::test::child_of(device, live.era_array_root, i));
  }
  EXPECT_EQ(scanned(device).nr_blocks.value().value, 3 * era::eras_in_a_block);
  EXPECT_FALSE(scanned(device).latest_era);
}

TEST(scan, believes_no_block_that_is_damaged_or_elsewhere) {
  pd::memory_device device(64);
  const era::superblock live = write_metadata(device, plain_model());
  const std::uint64_t all = scanned(device).recognized;
  pd::test::spoil(device, live.era_array_root);
  EXPECT_EQ(scanned(device).recognized, all - 1);
  EXPECT_FALSE(scanned(device).nr_blocks);
  std::memcpy(device.block(60), device.block(live.writeset_tree_root), pd::block_size);
  EXPECT_EQ(scanned(device).recognized, all - 1);
}

TEST(scan, goes_on_after_blocks_that_cannot_be_read) {
  pd::memory_device device(64);
  const era::superblock live = write_metadata(device, plain_model());
  pd::faulty_device faulty(device);
  faulty.fail_reads_of(live.writeset_tree_root);
  EXPECT_EQ(scanned(faulty).nr_blocks.value().value, nr_blocks);
  EXPECT_EQ(scanned(faulty).recognized, scanned(device).recognized - 1);
}

TEST(scan, knows_nothing_of_an_empty_device) {
  pd::memory_device device(64);
  const scan_result found = scanned(device);
  EXPECT_EQ(found.recognized, 0U);
  EXPECT_FALSE(found.nr_blocks || found.latest_era || found.newest_copy);
}

// A number that no device of this size can mean is not taken for a length.
TEST(scan, does_not_believe_impossible_lengths) {
  model m = plain_model();
  m.archived.push_back({8, std::vector<bool>(64 * era::eras_in_a_block + 1)});
  pd::memory_device device(64);
  write_metadata(device, m);
  EXPECT_EQ(scanned(device).nr_blocks.value().value, nr_blocks);
}

}  // namespace
