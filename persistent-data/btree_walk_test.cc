#include "persistent-data/btree_walk.h"

#include <gtest/gtest.h>

#include <random>

#include "persistent-data/faulty_device.h"
#include "persistent-data/metadata_test_support.h"

namespace {

using pd::block_nr;
using pd::damage;
using pd::damage_kind;
using pd::test::change_block;
using pd::test::child_of;
using pd::test::put_internal;
using pd::test::put_leaf;
using pd::test::set_child;
using pd::test::set_key;
using pd::test::spoil;
using pd::test::text_of;

constexpr std::uint32_t value_size = 8;
constexpr std::uint64_t capacity = 252;

// A tree of known keys, on a device with some free blocks after it.
class tree {
 public:
  explicit tree(std::uint64_t nr_keys)
      : keys(pd::test::spaced_keys(nr_keys, 10)), device(nr_keys / 200 + 60) {
    pd::bulk_writer writer(device, 1, nullptr);
    root = pd::test::build_tree(writer, keys, value_size);
    free = writer.next();
    writer.flush();
  }

  block_nr child(std::uint32_t i) const { return child_of(device, root, i); }

  // The keys are all there but those of one lost range, for one reason.
  void expect_loss(damage_kind kind, block_nr block, std::uint64_t first, std::uint64_t end) {
    const auto walked = pd::test::walk(device, root, value_size);
    const auto losses = walked.losses();
    ASSERT_EQ(losses.size(), 1U) << text_of(losses);
    EXPECT_EQ(losses[0].kind, kind) << text_of(losses);
    EXPECT_EQ(losses[0].block, block) << text_of(losses);
    EXPECT_EQ(losses[0].first_lost, first) << text_of(losses);
    EXPECT_EQ(losses[0].end_lost, end) << text_of(losses);
    EXPECT_TRUE(walked.keys == pd::test::without_losses(keys, losses));
    EXPECT_TRUE(walked.values_right);
  }

  std::vector<std::uint64_t> keys;
  pd::memory_device device;
  block_nr root = 0;
  block_nr free = 0;  // the first block after the tree
};

// Four leaves under a root; the first keys of leaves 0, 1, 2 and 3 are these.
constexpr std::uint64_t four_leaves = 3 * capacity + 100;
constexpr std::uint64_t first_of_leaf[] = {0, 10 * capacity, 20 * capacity,
                                           10 * (2 * capacity + 176)};

TEST(btree_walk, of_a_sound_tree_hands_over_every_key_and_no_damage) {
  for (const std::uint64_t n : {0, 1, 252, 253, 856, 70000}) {
    tree t(n);
    const auto walked = pd::test::walk(t.device, t.root, value_size);
    EXPECT_TRUE(walked.found.empty()) << text_of(walked.found);
    EXPECT_TRUE(walked.keys == t.keys);
    EXPECT_TRUE(walked.begun.empty());
  }
}

TEST(btree_walk, loses_the_keys_of_a_leaf_with_a_bad_head) {
  for (std::uint32_t i = 0; i < 4; ++i) {
    const std::uint64_t end = i == 3 ? UINT64_MAX : first_of_leaf[i + 1];
    tree checksum(four_leaves);
    spoil(checksum.device, checksum.child(i));
    checksum.expect_loss(damage_kind::block_checksum, checksum.child(i), first_of_leaf[i], end);

    tree number(four_leaves);
    pd::seal_block(pd::node_block, 1000, number.device.block(number.child(i)));
    number.expect_loss(damage_kind::block_number, number.child(i), first_of_leaf[i], end);
  }
}

TEST(btree_walk, loses_the_keys_of_a_leaf_that_cannot_be_read) {
  tree t(four_leaves);
  pd::faulty_device faulty(t.device);
  faulty.fail_reads_of(t.child(1));
  const auto walked = pd::test::walk(faulty, t.root, value_size);
  ASSERT_EQ(walked.found.size(), 1U);
  EXPECT_EQ(walked.found[0].kind, damage_kind::block_unreadable);
  EXPECT_TRUE(walked.keys == pd::test::without_losses(t.keys, walked.found));
}

TEST(btree_walk, loses_everything_with_the_root) {
  tree t(four_leaves);
  spoil(t.device, t.root);
  t.expect_loss(damage_kind::block_checksum, t.root, 0, UINT64_MAX);
}

TEST(btree_walk, finds_roots_that_name_no_block) {
  tree t(four_leaves);
  for (const block_nr root : {block_nr{0}, t.device.nr_blocks(), UINT64_MAX}) {
    t.root = root;
    t.expect_loss(damage_kind::block_out_of_range, root, 0, UINT64_MAX);
  }
}

TEST(btree_walk, finds_children_that_name_no_block) {
  for (const block_nr wrong : {block_nr{0}, block_nr{64}, UINT64_MAX}) {
    tree t(four_leaves);
    ASSERT_EQ(t.device.nr_blocks(), 64U);
    set_child(t.device, t.root, 1, wrong);
    t.expect_loss(damage_kind::block_out_of_range, wrong, first_of_leaf[1], first_of_leaf[2]);
  }
}

TEST(btree_walk, finds_two_bad_children_with_the_same_number) {
  tree t(four_leaves);
  set_child(t.device, t.root, 0, 0);
  set_child(t.device, t.root, 2, 0);
  const auto walked = pd::test::walk(t.device, t.root, value_size);
  ASSERT_EQ(walked.found.size(), 2U);
  EXPECT_EQ(walked.found[0].kind, damage_kind::block_out_of_range);
  EXPECT_EQ(walked.found[1].kind, damage_kind::block_out_of_range);
  EXPECT_TRUE(walked.keys == pd::test::without_losses(t.keys, walked.found));
}

TEST(btree_walk, ends_at_a_cycle) {
  tree t(four_leaves);
  set_child(t.device, t.root, 2, t.root);
  t.expect_loss(damage_kind::block_seen_twice, t.root, first_of_leaf[2], first_of_leaf[3]);
}

TEST(btree_walk, ends_at_a_cycle_over_two_levels) {
  tree t(70000);
  const block_nr middle = t.child(1);
  const std::uint64_t first = pd::node_view(t.device.block(middle)).key(3);
  const std::uint64_t end = pd::node_view(t.device.block(middle)).key(4);
  set_child(t.device, middle, 3, t.root);
  t.expect_loss(damage_kind::block_seen_twice, t.root, first, end);
}

TEST(btree_walk, enters_a_shared_leaf_once) {
  tree t(four_leaves);
  set_child(t.device, t.root, 2, t.child(1));
  t.expect_loss(damage_kind::block_seen_twice, t.child(1), first_of_leaf[2], first_of_leaf[3]);
}

// Every pointer of every node leads to the same node.
TEST(btree_walk, reads_a_block_once_however_many_pointers_lead_there) {
  pd::memory_device device(10);
  std::vector<pd::test::node_entry> children;
  for (std::uint64_t key = 0; key < capacity; ++key) {
    children.push_back({key, 2});
  }
  put_internal(device, 1, children);
  put_leaf(device, 2, value_size, {0});
  pd::block_reader reader(device);
  pd::walk_context context(reader);
  pd::test::tree_recorder walked(value_size);
  pd::walk_btree(context, 1, value_size, walked);
  EXPECT_EQ(reader.blocks_read(), 2U);
  const auto losses = walked.losses();
  ASSERT_EQ(losses.size(), 1U) << text_of(losses);
  EXPECT_EQ(losses[0].what, "btree node: 251 more pointers of the same parent lead here");
  EXPECT_EQ(losses[0].first_lost, 1U);
  EXPECT_EQ(losses[0].end_lost, UINT64_MAX);
}

TEST(btree_walk, finds_a_wrong_header) {
  tree t(four_leaves);
  change_block(t.device, pd::node_block, t.child(2),
               [](std::byte* block) { base::put_le32(block + 4, 3); });
  t.expect_loss(damage_kind::node_header, t.child(2), first_of_leaf[2], first_of_leaf[3]);
}

TEST(btree_walk, finds_leaves_of_another_tree) {
  tree t(four_leaves);
  put_leaf(t.device, t.child(2), 12, {first_of_leaf[2]});
  t.expect_loss(damage_kind::node_header, t.child(2), first_of_leaf[2], first_of_leaf[3]);
}

TEST(btree_walk, finds_empty_nodes_below_the_root) {
  tree t(four_leaves);
  put_leaf(t.device, t.child(1), value_size, {});
  t.expect_loss(damage_kind::node_empty, t.child(1), first_of_leaf[1], first_of_leaf[2]);
  put_internal(t.device, t.child(1), {});
  t.expect_loss(damage_kind::node_empty, t.child(1), first_of_leaf[1], first_of_leaf[2]);
}

TEST(btree_walk, finds_an_empty_internal_root) {
  tree t(four_leaves);
  put_internal(t.device, t.root, {});
  t.expect_loss(damage_kind::node_empty, t.root, 0, UINT64_MAX);
}

TEST(btree_walk, finds_keys_that_do_not_ascend) {
  tree leaf(four_leaves);
  set_key(leaf.device, leaf.child(1), 100, first_of_leaf[1] + 990);
  leaf.expect_loss(damage_kind::node_key_order, leaf.child(1), first_of_leaf[1], first_of_leaf[2]);

  tree root(four_leaves);
  set_key(root.device, root.root, 2, first_of_leaf[1]);
  root.expect_loss(damage_kind::node_key_order, root.root, 0, UINT64_MAX);
}

TEST(btree_walk, finds_keys_outside_what_the_parent_allows) {
  tree low(four_leaves);
  set_key(low.device, low.child(1), 0, first_of_leaf[1] - 1);
  low.expect_loss(damage_kind::node_key_range, low.child(1), first_of_leaf[1], first_of_leaf[2]);

  tree high(four_leaves);
  set_key(high.device, high.child(1), capacity - 1, first_of_leaf[2]);
  high.expect_loss(damage_kind::node_key_range, high.child(1), first_of_leaf[1], first_of_leaf[2]);
}

TEST(btree_walk, holds_inner_nodes_against_their_parents_too) {
  tree t(70000);
  const block_nr middle = t.child(1);
  const std::uint64_t first = pd::node_view(t.device.block(t.root)).key(1);
  set_key(t.device, middle, 0, first - 1);
  t.expect_loss(damage_kind::node_key_range, middle, first, UINT64_MAX);
}

TEST(btree_walk, takes_a_parent_key_below_the_first_key_of_its_child) {
  tree t(four_leaves);
  set_key(t.device, t.root, 1, first_of_leaf[1] - 5);
  set_key(t.device, t.child(2), 0, first_of_leaf[2] + 1);
  auto expected = t.keys;
  expected[2 * capacity] += 1;
  const auto walked = pd::test::walk(t.device, t.root, value_size);
  EXPECT_TRUE(walked.found.empty()) << text_of(walked.found);
  EXPECT_TRUE(walked.keys == expected);
}

TEST(btree_walk, loses_all_below_a_bad_inner_node) {
  tree t(70000);
  const block_nr middle = t.child(0);
  spoil(t.device, middle);
  t.expect_loss(damage_kind::block_checksum, middle, 0,
                pd::node_view(t.device.block(t.root)).key(1));
}

TEST(btree_walk, finds_a_leaf_at_another_depth) {
  tree t(four_leaves);
  const block_nr leaf = t.child(2);
  put_internal(t.device, t.free, {{first_of_leaf[2], leaf}});
  set_child(t.device, t.root, 2, t.free);
  t.expect_loss(damage_kind::node_leaf_depth, leaf, first_of_leaf[2], first_of_leaf[3]);
}

TEST(btree_walk, ends_in_a_tree_that_goes_down_without_end) {
  tree t(100);
  const block_nr leaf = t.root;
  put_internal(t.device, t.free, {{0, leaf}});
  for (block_nr block = t.free; block < t.free + 40; ++block) {
    put_internal(t.device, block + 1, {{0, block}});
  }
  t.root = t.free + 40;
  t.expect_loss(damage_kind::tree_too_deep, t.free + 40 - 23, 0, UINT64_MAX);
}

TEST(btree_walk, takes_trees_as_deep_as_nodes_with_one_child_make_them) {
  tree t(100);
  put_internal(t.device, t.free, {{0, t.root}});
  for (block_nr block = t.free; block < t.free + 20; ++block) {
    put_internal(t.device, block + 1, {{0, block}});
  }
  t.root = t.free + 20;
  const auto walked = pd::test::walk(t.device, t.root, value_size);
  EXPECT_TRUE(walked.losses().empty());
  EXPECT_TRUE(walked.keys == t.keys);
}

TEST(btree_walk, remarks_on_nodes_under_a_third) {
  for (const std::uint32_t entries : {83U, 84U}) {
    tree t(four_leaves);
    const block_nr leaf = t.child(1);
    std::vector<std::uint64_t> kept(t.keys.begin() + capacity, t.keys.begin() + capacity + entries);
    put_leaf(t.device, leaf, value_size, kept);
    t.keys.erase(t.keys.begin() + static_cast<std::ptrdiff_t>(capacity + entries),
                 t.keys.begin() + 2 * capacity);
    const auto walked = pd::test::walk(t.device, t.root, value_size);
    EXPECT_TRUE(walked.losses().empty());
    EXPECT_TRUE(walked.keys == t.keys);
    ASSERT_EQ(walked.found.size(), entries < 84 ? 1U : 0U);
    if (entries < 84) {
      EXPECT_EQ(walked.found[0].kind, damage_kind::node_underfull);
      EXPECT_EQ(walked.found[0].block, leaf);
    }
  }
}

TEST(btree_walk, remarks_on_an_unusual_maximum_and_reads_on) {
  pd::memory_device device(3);
  std::byte* const block = device.block(1);
  pd::init_node(block, true, value_size);
  base::put_le32(block + 20, 120);
  pd::put_entry(block, 0, 7, pd::test::value_for(7, value_size).data());
  pd::put_nr_entries(block, 1);
  pd::seal_block(pd::node_block, 1, block);
  const auto walked = pd::test::walk(device, 1, value_size);
  ASSERT_EQ(walked.found.size(), 1U);
  EXPECT_EQ(walked.found[0].kind, damage_kind::node_odd_maximum);
  EXPECT_EQ(walked.keys, std::vector<std::uint64_t>{7});
  EXPECT_TRUE(walked.values_right);
}

TEST(btree_walk, takes_many_trees_one_after_the_other) {
  constexpr std::size_t trees = 600;
  pd::memory_device device(trees + 10);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<block_nr> roots;
  std::vector<std::uint64_t> expected;
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < trees; ++i) {
    const std::vector<std::uint64_t> keys = {i, i + 1};
    roots.push_back(pd::test::build_tree(writer, keys, value_size));
    expected.insert(expected.end(), keys.begin(), keys.end());
    indexes.push_back(i);
  }
  writer.flush();
  pd::block_reader reader(device);
  pd::walk_context context(reader);
  pd::test::tree_recorder walked(value_size);
  pd::walk_btrees(context, roots, value_size, walked);
  EXPECT_TRUE(walked.found.empty());
  EXPECT_EQ(walked.begun, indexes);
  EXPECT_EQ(walked.ended, indexes);
  EXPECT_EQ(walked.keys, expected);
}

TEST(btree_walk, reports_a_root_that_two_trees_share) {
  tree t(four_leaves);
  pd::block_reader reader(t.device);
  pd::walk_context context(reader);
  pd::test::tree_recorder walked(value_size);
  const block_nr roots[] = {t.root, 0, t.root};
  pd::walk_btrees(context, roots, value_size, walked);
  EXPECT_TRUE(walked.keys == t.keys);
  ASSERT_EQ(walked.found.size(), 2U);
  EXPECT_EQ(walked.found[0].kind, damage_kind::block_out_of_range);
  EXPECT_EQ(walked.found[1].kind, damage_kind::block_seen_twice);
  EXPECT_EQ(walked.begun, (std::vector<std::size_t>{0, 1, 2}));
}

TEST(btree_walk, counts_the_pointers_of_a_block_once) {
  tree t(four_leaves);
  pd::block_reader reader(t.device);
  pd::reference_counts counts(reader.usable());
  for (const bool again : {false, true}) {
    pd::walk_context context(reader);  // another state of the metadata that shares all
    context.counts = &counts;
    pd::test::tree_recorder walked(value_size);
    pd::walk_btree(context, t.root, value_size, walked);
    EXPECT_TRUE(walked.keys == t.keys);
    EXPECT_EQ(walked.first_visits, again ? 0U : 4U);
  }
  EXPECT_EQ(counts[t.root], 0U);  // whatever names the root counts it
  for (std::uint32_t i = 0; i < 4; ++i) {
    EXPECT_EQ(counts[t.child(i)], 1U);
  }
}

TEST(btree_walk, loses_exactly_what_is_below_random_damage) {
  std::mt19937_64 random(1);
  for (int round = 0; round < 30; ++round) {
    SCOPED_TRACE(round);
    tree t(20000 + random() % 60000);
    const int damages = 1 + static_cast<int>(random() % 20);
    for (int i = 0; i < damages; ++i) {
      const block_nr where = 1 + random() % (t.free - 1);
      if (where != t.root) {
        t.device.block(where)[random() % pd::block_size] ^= std::byte{1};
      }
    }
    const auto walked = pd::test::walk(t.device, t.root, value_size);
    EXPECT_TRUE(walked.keys == pd::test::without_losses(t.keys, walked.losses()));
    EXPECT_TRUE(walked.values_right);
  }
}

TEST(btree_walk, survives_random_nonsense_under_good_checksums) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 60; ++round) {
    SCOPED_TRACE(round);
    tree t(round % 2 == 0 ? 3000 : 66000);
    for (int i = 0; i < 8; ++i) {
      const block_nr where = 1 + random() % (t.free - 1);
      change_block(t.device, pd::node_block, where, [&](std::byte* block) {
        const std::size_t at = random() % 2 == 0 ? 4 + random() % 28 : 32 + random() % 4056;
        base::put_le32(block + at,
                       static_cast<std::uint32_t>(random() % 3 == 0 ? random() : random() % 300));
      });
    }
    // The recorder itself holds order against the promise.
    const auto walked = pd::test::walk(t.device, t.root, value_size);
    const auto losses = walked.losses();
    for (const damage& d : losses) {
      EXPECT_FALSE(d.what.empty());
    }
    EXPECT_LE(walked.leaves.size(), t.free);
  }
}

}  // namespace
