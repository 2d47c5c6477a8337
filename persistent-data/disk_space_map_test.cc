#include "persistent-data/disk_space_map.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>

#include "base/error.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::disk_space_map;

constexpr block_nr per_bitmap = 16320;

// A map by itself on a device. What it counts is written down in `references`.
class single_map {
 public:
  explicit single_map(pd::memory_device& on)
      : device(on), watched(on), map(disk_space_map::format(on)) {}

  void commit() {
    root = map.write(watched);
    map.committed();
    watched.keep(root);
  }

  void expect_sound() {
    pd::block_reader reader(device);
    pd::walk_context context(reader);
    pd::reference_counts counts(reader.usable());
    context.counts = &counts;
    counts.add(0);
    for (const auto& [block, count] : references) {
      counts.set(block, count);
    }
    pd::test::damage_recorder recorder;
    pd::check_space_map(context, root, true, recorder);
    EXPECT_TRUE(recorder.found.empty()) << pd::test::text_of(recorder.found);

    const disk_space_map read = disk_space_map::open(device, root);
    EXPECT_EQ(read.nr_blocks(), device.nr_blocks());
    EXPECT_EQ(read.nr_allocated(), map.nr_allocated());
    for (block_nr block = 0; block < device.nr_blocks(); ++block) {
      ASSERT_EQ(read.count(block), counts[block]) << "of block " << block;
      ASSERT_EQ(map.count(block), counts[block]) << "of block " << block;
      ASSERT_FALSE(map.is_new(block));
    }
  }

  block_nr allocate() {
    const block_nr block = map.allocate();
    EXPECT_EQ(references[block], 0U);
    EXPECT_FALSE(watched.keeps(block)) << "the last commit uses block " << block;
    references[block] = 1;
    return block;
  }

  // All free blocks.
  std::set<block_nr> allocate_all() {
    std::set<block_nr> got;
    EXPECT_THROW(
        while (true) { got.insert(allocate()); }, base::io_error);
    return got;
  }

  void drop(block_nr block) {
    --references[block];
    EXPECT_EQ(map.decrement(block), references[block] == 0);
  }

  pd::memory_device& device;
  pd::test::watched_device watched;
  disk_space_map map;
  pd::space_map_root root;
  std::map<block_nr, std::uint32_t> references;
};

class disk_space_map_of_size : public testing::TestWithParam<block_nr> {};

INSTANTIATE_TEST_SUITE_P(sizes, disk_space_map_of_size,
                         testing::Values(100, per_bitmap - 1, per_bitmap, per_bitmap + 1,
                                         2 * per_bitmap, 2 * per_bitmap + 40));

TEST_P(disk_space_map_of_size, counts_itself_when_it_is_new) {
  pd::memory_device device(GetParam());
  single_map m(device);
  m.commit();
  m.expect_sound();
  // Superblock, count tree, index, bitmaps.
  EXPECT_EQ(m.root.nr_allocated, 3 + base::ceil_div(GetParam(), per_bitmap));
}

TEST_P(disk_space_map_of_size, counts_exactly_what_is_allocated_and_freed) {
  pd::memory_device device(GetParam());
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    single_map m(device);
    std::vector<block_nr> in_use;
    // So full that the search wraps round often and goes through all bitmaps.
    while (m.map.nr_allocated() + 60 < GetParam()) {
      in_use.push_back(m.allocate());
    }
    for (int round = 0; round < 10; ++round) {
      m.commit();
      m.expect_sound();
      for (int i = 0; i < 40; ++i) {
        const std::size_t at = random() % in_use.size();
        const block_nr block = in_use[at];
        if (m.references[block] < 5 && random() % 3 == 0) {
          m.map.increment(block);
          ++m.references[block];
        } else if (random() % 2 == 0) {
          m.drop(block);
        } else if (m.map.nr_allocated() + 50 < GetParam()) {
          in_use.push_back(m.allocate());
        }
        if (m.references[block] == 0) {
          in_use[at] = in_use.back();
          in_use.pop_back();
        }
      }
    }
  }
}

TEST_P(disk_space_map_of_size, gives_every_free_block_of_the_device) {
  pd::memory_device device(GetParam());
  single_map m(device);
  m.commit();
  const std::uint64_t used = m.map.nr_allocated();
  EXPECT_EQ(m.allocate_all().size(), GetParam() - used);
  EXPECT_EQ(m.map.nr_allocated(), GetParam());
}

TEST(disk_space_map, has_the_free_counts_of_the_kernel) {
  pd::memory_device device(per_bitmap + 10);
  single_map m(device);
  m.commit();
  const std::byte* const index = device.block(m.root.bitmap_root);
  // The second bitmap counts from a full one, whatever the device has of it.
  EXPECT_EQ(pd::decode_index_entry(index, 0).nr_free, per_bitmap - m.root.nr_allocated);
  EXPECT_EQ(pd::decode_index_entry(index, 0).none_free_before, m.root.nr_allocated);
  EXPECT_EQ(pd::decode_index_entry(index, 1).nr_free, per_bitmap);
  EXPECT_EQ(pd::decode_index_entry(index, 1).none_free_before, 0U);
}

TEST(disk_space_map, hands_out_what_was_freed_after_the_next_commit_only) {
  pd::memory_device device(100);
  single_map m(device);
  const block_nr block = m.allocate();
  m.commit();
  const pd::space_map_root before = m.root;
  m.drop(block);
  EXPECT_FALSE(m.allocate_all().contains(block));

  m.references.clear();
  m.map = disk_space_map::open(device, before);
  m.references[block] = 1;
  m.drop(block);
  m.commit();
  const std::set<block_nr> got = m.allocate_all();
  EXPECT_TRUE(got.contains(block));
  EXPECT_TRUE(got.contains(before.bitmap_root)) << "the map's own old blocks are free as well";
}

TEST(disk_space_map, hands_out_again_what_was_allocated_and_freed_since_the_commit) {
  pd::memory_device device(100);
  single_map m(device);
  m.commit();
  const std::set<block_nr> all = m.allocate_all();
  const block_nr block = *std::next(all.begin(), 40);
  EXPECT_TRUE(m.map.is_new(block));
  m.drop(block);
  EXPECT_FALSE(m.map.is_new(block));
  EXPECT_EQ(m.allocate(), block);
}

TEST(disk_space_map, searches_upwards_from_the_last_block_and_wraps_round) {
  pd::memory_device device(100);
  single_map m(device);
  std::vector<block_nr> got;
  for (int i = 0; i < 50; ++i) {
    got.push_back(m.allocate());
  }
  EXPECT_TRUE(std::is_sorted(got.begin(), got.end()));
  m.drop(got[10]);
  m.drop(got[49]);
  EXPECT_GT(m.allocate(), got[49]) << "not the free one below, nor the last one again";
  while (m.references.rbegin()->first < 99) {
    m.allocate();
  }
  EXPECT_EQ(m.allocate(), got[10]);
  EXPECT_EQ(m.allocate(), got[49]);
  EXPECT_THROW(m.allocate(), base::io_error);
}

TEST(disk_space_map, leaves_the_last_commit_when_the_device_is_full) {
  pd::memory_device device(100);
  single_map m(device);
  m.allocate();
  m.commit();
  const auto references = m.references;
  m.allocate_all();
  EXPECT_THROW(m.map.write(device), base::io_error) << "the map has no room to move";

  m.references = references;
  m.map = disk_space_map::open(device, m.root);
  m.expect_sound();
}

TEST(disk_space_map, writes_nothing_where_nothing_has_changed) {
  pd::memory_device device(100);
  single_map m(device);
  m.commit();
  m.watched.log.clear();
  const block_nr index = m.root.bitmap_root;
  m.commit();
  EXPECT_EQ(m.root.bitmap_root, index);
  EXPECT_TRUE(m.watched.log.empty());
}

TEST(disk_space_map, writes_changed_bitmaps_alone) {
  pd::memory_device device(2 * per_bitmap);
  single_map m(device);
  m.commit();
  m.watched.log.clear();
  m.allocate();
  m.commit();
  EXPECT_EQ(m.watched.log.size(), 2U) << "one bitmap and the index";
  m.expect_sound();
}

TEST(disk_space_map, refuses_to_count_blocks_that_are_free) {
  pd::memory_device device(100);
  single_map m(device);
  EXPECT_THROW(m.map.decrement(99), base::data_error);
  EXPECT_THROW(m.map.increment(99), base::data_error)
      << "a free block that is named shows a wrong map";
  m.drop(m.allocate());
  EXPECT_EQ(m.map.count(99), 0U);
}

TEST(disk_space_map, refuses_blocks_that_it_does_not_cover) {
  pd::memory_device device(100);
  single_map m(device);
  for (const block_nr block : {block_nr{100}, per_bitmap, block_nr{1} << 40, UINT64_MAX}) {
    EXPECT_THROW(m.map.count(block), base::data_error);
    EXPECT_THROW(m.map.is_new(block), base::data_error);
    EXPECT_THROW(m.map.increment(block), base::data_error);
    EXPECT_THROW(m.map.decrement(block), base::data_error);
  }
}

// More large counts than a leaf of their tree holds, then fewer and fewer.
TEST(disk_space_map, keeps_large_counts_in_a_tree_that_it_counts_too) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    pd::memory_device device(2000);
    single_map m(device);
    for (int i = 0; i < 1000; ++i) {
      m.allocate();
    }
    for (const unsigned target : {2, 6, 4, 3, 2, 1}) {
      for (auto& [block, count] : m.references) {
        const auto wanted = static_cast<std::uint32_t>(1 + random() % target);
        for (; count < wanted; ++count) {
          m.map.increment(block);
        }
        while (count > wanted) {
          m.drop(block);
        }
      }
      m.commit();
      m.expect_sound();
      std::size_t large = 0;
      for (const auto& [block, count] : m.references) {
        large += count >= 3;
      }
      EXPECT_EQ(pd::test::walk(device, m.root.ref_count_root, 4).keys.size(), large);
    }
  }
}

TEST(disk_space_map, notices_each_step_of_a_large_count) {
  pd::memory_device device(100);
  single_map m(device);
  const block_nr block = m.allocate();
  for (const std::uint32_t count : {1U, 2U, 3U, 4U, 3U, 2U, 1U}) {
    for (; m.references[block] < count; ++m.references[block]) {
      m.map.increment(block);
    }
    while (m.references[block] > count) {
      m.drop(block);
    }
    m.commit();
    m.expect_sound();
  }
}

TEST(disk_space_map, moves_a_bitmap_that_changes_only_because_another_moves) {
  pd::memory_device device(2 * per_bitmap);
  single_map m(device);
  m.commit();
  m.allocate_all();
  // The index and both bitmaps go to the first three, in the second half of the device. The last
  // one stays free, as do the three places that they come from, in the first half.
  for (const block_nr block : {20000, 20001, 20002, 31000}) {
    m.drop(block);
  }
  m.commit();
  m.expect_sound();
  const auto bitmap = [&](std::size_t i) {
    return pd::decode_index_entry(device.block(m.root.bitmap_root), i).bitmap;
  };
  const block_nr first_bitmap = bitmap(0);
  m.drop(32000);
  m.commit();
  m.expect_sound();
  EXPECT_EQ(m.root.bitmap_root, 31000U);
  EXPECT_LT(bitmap(1), per_bitmap) << "there was no room left in the second half";
  EXPECT_NE(bitmap(0), first_bitmap);
}

}  // namespace
