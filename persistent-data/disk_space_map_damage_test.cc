#include <gtest/gtest.h>

#include "base/error.h"
#include "persistent-data/btree_editor.h"
#include "persistent-data/disk_space_map.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::disk_space_map;
using pd::test::change_block;

constexpr block_nr per_bitmap = 16320;

// A map with all that it can have: two bitmaps, and counts in the tree.
class damaged_space_map : public testing::Test {
 protected:
  damaged_space_map() {
    auto transaction = pd::transaction_manager::format(device_);
    pd::btree_editor tree(transaction, pd::plain_values(8));
    leaf_ = tree.make_empty();
    transaction.add_reference(leaf_);
    transaction.add_reference(leaf_);
    pd::test::commit(transaction);
    root_ = pd::test::read_state(device_).map;
  }

  block_nr bitmap(std::size_t i) {
    return pd::decode_index_entry(device_.block(root_.bitmap_root), i).bitmap;
  }

  void expect_refused() { EXPECT_THROW(disk_space_map::open(device_, root_), base::data_error); }

  // Damage in each of the ways that any block can be damaged.
  void expect_block_needed(block_nr block) {
    SCOPED_TRACE("block " + std::to_string(block));
    EXPECT_EQ(disk_space_map::open(device_, root_).count(leaf_), 3U);
    pd::test::spoil(device_, block);
    expect_refused();
    pd::test::spoil(device_, block);
    pd::faulty_device faulty(device_);
    faulty.fail_reads_of(block);
    EXPECT_THROW(disk_space_map::open(faulty, root_), base::data_error);
  }

  pd::memory_device device_{per_bitmap + 10};
  pd::space_map_root root_;
  block_nr leaf_ = 0;
};

TEST_F(damaged_space_map, is_refused_for_any_block_of_it) {
  expect_block_needed(root_.bitmap_root);
  expect_block_needed(bitmap(0));
  expect_block_needed(bitmap(1));
  expect_block_needed(root_.ref_count_root);
}

TEST_F(damaged_space_map, is_refused_for_roots_that_name_nothing) {
  for (const block_nr nothing : {block_nr{0}, device_.nr_blocks(), UINT64_MAX}) {
    for (block_nr* const root : {&root_.bitmap_root, &root_.ref_count_root}) {
      const block_nr right = *root;
      *root = nothing;
      expect_refused();
      *root = right;
    }
  }
  change_block(device_, pd::index_block, root_.bitmap_root, [](std::byte* block) {
    pd::encode_index_entry({0, 0, 0}, 1, block);
  });
  expect_refused();
}

TEST_F(damaged_space_map, is_refused_if_it_does_not_fit_the_device) {
  for (const block_nr nr_blocks :
       {block_nr{0}, device_.nr_blocks() + 1, block_nr{256} * per_bitmap, UINT64_MAX}) {
    root_.nr_blocks = nr_blocks;
    expect_refused();
  }
}

TEST_F(damaged_space_map, is_refused_if_bitmaps_and_count_tree_disagree) {
  change_block(device_, pd::bitmap_block, bitmap(0), [&](std::byte* block) {
    pd::set_bitmap_count(block, static_cast<std::uint32_t>(leaf_), 2);
  });
  expect_refused();
}

TEST_F(damaged_space_map, is_refused_if_the_count_tree_has_small_counts) {
  change_block(device_, pd::node_block, root_.ref_count_root, [&](std::byte* block) {
    std::byte value[4];
    base::put_le32(value, 2);
    pd::put_entry(block, 0, leaf_, value);
  });
  expect_refused();
}

TEST_F(damaged_space_map, is_refused_if_the_count_tree_goes_on_past_the_end) {
  change_block(device_, pd::node_block, root_.ref_count_root, [&](std::byte* block) {
    std::byte value[4];
    base::put_le32(value, 3);
    pd::insert_entry(block, 1, device_.nr_blocks(), value);
  });
  expect_refused();
}

TEST_F(damaged_space_map, has_no_count_for_a_block_that_the_tree_leaves_out) {
  change_block(device_, pd::node_block, root_.ref_count_root,
               [](std::byte* block) { pd::erase_entry(block, 0); });
  const disk_space_map map = disk_space_map::open(device_, root_);
  EXPECT_THROW(map.count(leaf_), base::data_error);
  EXPECT_EQ(map.count(root_.ref_count_root), 1U);
}

// Counts that are too high are leaks, and no reason to refuse the map, before a commit or after it.
TEST_F(damaged_space_map, keeps_large_counts_of_its_own_blocks_in_order) {
  const auto set_count = [&](block_nr block, std::uint32_t count) {
    change_block(device_, pd::bitmap_block, bitmap(0), [&](std::byte* bytes) {
      pd::set_bitmap_count(bytes, static_cast<std::uint32_t>(block), count);
    });
    change_block(device_, pd::node_block, root_.ref_count_root, [&](std::byte* bytes) {
      const std::uint32_t place = block < leaf_ ? 0 : 1;
      std::byte value[4];
      base::put_le32(value, count);
      if (count >= 3) {
        pd::insert_entry(bytes, place, block, value);
      } else {
        pd::erase_entry(bytes, place);
      }
    });
  };
  for (const block_nr leaked : {root_.bitmap_root, bitmap(0), bitmap(1), root_.ref_count_root}) {
    SCOPED_TRACE("block " + std::to_string(leaked));
    set_count(leaked, 3);
    disk_space_map map = disk_space_map::open(device_, root_);
    map.allocate();
    const pd::space_map_root root = map.write(device_);
    const disk_space_map after = disk_space_map::open(device_, root);
    EXPECT_EQ(after.count(leaf_), 3U);
    EXPECT_GE(after.count(leaked), 2U) << "the leak stays";
    set_count(leaked, 1);  // the commit has left all blocks of the old map as they were
  }
}

}  // namespace
