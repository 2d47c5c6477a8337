// The metadata snapshot (doc/format.md 7): what stands in it, that it stays, and that nothing of it
// is left over.
#include <gtest/gtest.h>

#include <stdexcept>

#include "era/target/target_test_support.h"

namespace {

using era::block_range;
using era::superblock;
using era::test::eras_of;
using era::test::problems_of;

class metadata_snapshot : public testing::Test {
 protected:
  metadata_snapshot() {
    metadata_.resize(3000);
    metadata_.begin_era();
    mark(7, 1500);
    metadata_.begin_era();
    mark(2900, 3000);
  }

  void mark(std::uint64_t first, std::uint64_t end) {
    const block_range range{first, end};
    metadata_.mark({&range, 1});
  }

  void take() {
    metadata_.begin_era();
    metadata_.take_snapshot();
  }

  void settle() {
    while (metadata_.digest_step()) {
    }
    metadata_.commit();
  }

  superblock on_disk() { return era::decode_superblock(device_.block(0)); }

  std::vector<std::uint32_t> held() { return era::read_sound_state(device_)->snapshot.value(); }

  pd::memory_device device_{400, "meta"};
  era::live_metadata metadata_{device_, 8};
};

TEST_F(metadata_snapshot, has_the_fields_of_the_format) {
  take();
  const superblock live = on_disk();
  ASSERT_NE(live.metadata_snap, pd::no_block);
  const std::byte* const block = device_.block(live.metadata_snap);
  EXPECT_FALSE(pd::check_head(era::superblock_block, live.metadata_snap, block));
  const superblock copy = era::decode_superblock(block);
  EXPECT_EQ(copy.location, live.metadata_snap);
  EXPECT_EQ(copy.magic, era::superblock_magic);
  EXPECT_EQ(copy.version, 1U);
  EXPECT_EQ(copy.flags, 0U);
  EXPECT_EQ(copy.data_block_size, 8U);
  EXPECT_EQ(copy.metadata_block_size, 8U);
  EXPECT_EQ(copy.nr_blocks, 3000U);
  EXPECT_EQ(copy.current_era, 3U);
  EXPECT_TRUE(copy.current_open()) << "stale, but there";
  EXPECT_EQ(copy.writeset_tree_root, live.writeset_tree_root);
  EXPECT_EQ(copy.era_array_root, live.era_array_root);
  EXPECT_EQ(copy.metadata_snap, pd::no_block);
  EXPECT_EQ(metadata_.current_superblock().metadata_snap, live.metadata_snap);
}

TEST_F(metadata_snapshot, shares_two_roots_and_nothing_else) {
  take();
  const superblock live = on_disk();
  const auto map = pd::disk_space_map::open(device_, live.space_map);
  for (pd::block_nr block = 0; block < device_.nr_blocks(); ++block) {
    const bool shared = block == live.writeset_tree_root || block == live.era_array_root;
    EXPECT_TRUE(shared ? map.count(block) == 2 : map.count(block) < 2) << block;
  }
  EXPECT_EQ(problems_of(device_), "");
}

TEST_F(metadata_snapshot, holds_all_eras_but_the_one_that_began_with_it) {
  const std::vector<std::uint32_t> before = eras_of(device_);
  take();
  mark(0, 3000);
  EXPECT_EQ(held(), before);
  EXPECT_EQ(before[6], 0U);
  EXPECT_EQ(before[7], 1U);
  EXPECT_EQ(before[2999], 2U);
}

TEST_F(metadata_snapshot, stays_as_it_is_while_the_device_goes_on) {
  take();
  const std::vector<std::uint32_t> before = held();
  std::mt19937_64 random(5);
  for (unsigned n = 0; n < 60; ++n) {
    if (n % 7 == 0) {
      metadata_.resize(static_cast<std::uint32_t>(1 + random() % 5000));
    }
    metadata_.begin_era();
    const std::uint64_t first = random() % metadata_.current_superblock().nr_blocks;
    mark(first, std::min<std::uint64_t>(first + 200, metadata_.current_superblock().nr_blocks));
    for (unsigned steps = 0; steps < 40; ++steps) {
      metadata_.digest_step();
    }
    if (n % 5 == 0) {
      metadata_.commit();
      ASSERT_EQ(held(), before);
    }
  }
  metadata_.resize(3000);
  metadata_.begin_era();
  settle();
  EXPECT_EQ(held(), before);
  EXPECT_EQ(problems_of(device_), "");
}

TEST_F(metadata_snapshot, outlives_the_target) {
  take();
  const std::vector<std::uint32_t> before = held();
  metadata_.end_era();
  era::live_metadata again(device_, 8);
  again.begin_era();
  EXPECT_EQ(held(), before);
  again.drop_snapshot();
  EXPECT_EQ(problems_of(device_), "");
  EXPECT_FALSE(era::read_sound_state(device_)->snapshot);
}

TEST_F(metadata_snapshot, leaves_nothing_behind_when_it_is_dropped) {
  settle();
  const pd::block_nr settled = metadata_.used_blocks();
  for (const bool digest_before : {false, true}) {
    for (const bool write_meanwhile : {false, true}) {
      take();
      EXPECT_GT(metadata_.used_blocks(), settled);
      if (write_meanwhile) {
        mark(0, 3000);
        metadata_.begin_era();
      }
      if (digest_before) {
        settle();
      }
      metadata_.drop_snapshot();
      EXPECT_EQ(on_disk().metadata_snap, pd::no_block);
      EXPECT_EQ(problems_of(device_), "");
      settle();
      EXPECT_EQ(metadata_.used_blocks(), settled);
      EXPECT_EQ(on_disk().space_map.nr_allocated, settled);
    }
  }
}

TEST_F(metadata_snapshot, is_one_at_most) {
  EXPECT_THROW(metadata_.drop_snapshot(), std::logic_error);
  take();
  EXPECT_THROW(metadata_.take_snapshot(), std::logic_error);
  EXPECT_FALSE(metadata_.failed()) << "to ask for it is not a failure";
  metadata_.drop_snapshot();
  EXPECT_EQ(problems_of(device_), "");
}

// A writeset that digestion takes away from the live tree is in the snapshot's alone.
TEST_F(metadata_snapshot, keeps_writesets_that_have_been_digested) {
  take();
  const std::vector<std::uint32_t> before = held();
  settle();
  EXPECT_TRUE(era::test::archived_in(device_).empty());
  EXPECT_EQ(held(), before);
  EXPECT_EQ(problems_of(device_), "");
}

}  // namespace
