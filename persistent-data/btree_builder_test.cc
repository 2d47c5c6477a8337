#include "persistent-data/btree_builder.h"

#include <gtest/gtest.h>

#include <set>

#include "persistent-data/metadata_test_support.h"

namespace {

using pd::block_nr;
using pd::node_view;

// What the rules for trees are about, found without the walk that the library has.
struct shape {
  std::set<unsigned> leaf_depths;
  std::uint32_t underfull = 0;  // nodes off the root under a third
  std::uint32_t nodes = 0;
};

void measure(const pd::memory_device& device, block_nr where, unsigned depth, shape& into) {
  const node_view node(device.block(where));
  ++into.nodes;
  into.underfull += depth > 1 && node.nr_entries() < node.max_entries() / 3;
  if (node.is_leaf()) {
    into.leaf_depths.insert(depth);
    return;
  }
  for (std::uint32_t i = 0; i < node.nr_entries(); ++i) {
    const node_view child(device.block(node.child(i)));
    EXPECT_EQ(node.key(i), child.key(0));
    measure(device, node.child(i), depth + 1, into);
  }
}

void expect_tree(pd::memory_device& device, block_nr root,
                 const std::vector<std::uint64_t>& expected, std::uint32_t value_size) {
  const auto walked = pd::test::walk(device, root, value_size);
  EXPECT_TRUE(walked.found.empty()) << pd::test::text_of(walked.found);
  EXPECT_TRUE(walked.keys == expected);
  EXPECT_TRUE(walked.values_right);
  shape measured;
  measure(device, root, 1, measured);
  EXPECT_EQ(measured.leaf_depths.size(), 1U);
  EXPECT_EQ(measured.underfull, 0U);
}

class btree_builder : public testing::TestWithParam<std::uint32_t> {};
INSTANTIATE_TEST_SUITE_P(value_sizes, btree_builder, testing::Values(4, 8, 12));

TEST_P(btree_builder, makes_sound_trees_of_every_small_size) {
  constexpr std::uint64_t sizes = 601;
  pd::memory_device device(4000);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<block_nr> roots;
  for (std::uint64_t n = 0; n < sizes; ++n) {
    roots.push_back(pd::test::build_tree(writer, pd::test::spaced_keys(n, 3), GetParam()));
  }
  writer.flush();
  for (std::uint64_t n = 0; n < sizes; ++n) {
    SCOPED_TRACE(std::to_string(n) + " entries");
    expect_tree(device, roots[n], pd::test::spaced_keys(n, 3), GetParam());
  }
}

TEST_P(btree_builder, makes_sound_trees_where_levels_fill_up) {
  const std::uint64_t leaf = pd::node_capacity(GetParam());
  const std::uint64_t two_levels = 252 * leaf;
  for (const std::uint64_t n :
       {2 * leaf, 2 * leaf + 1, 3 * leaf + 1, 251 * leaf + 1, two_levels - 1, two_levels,
        two_levels + 1, two_levels + leaf, 2 * two_levels + 1}) {
    SCOPED_TRACE(std::to_string(n) + " entries");
    pd::memory_device device(600);
    pd::bulk_writer writer(device, 1, nullptr);
    const std::vector<std::uint64_t> keys = pd::test::spaced_keys(n, 1);
    const block_nr root = pd::test::build_tree(writer, keys, GetParam());
    writer.flush();
    expect_tree(device, root, keys, GetParam());
  }
}

TEST_P(btree_builder, fills_all_nodes_but_the_last_two_of_a_level) {
  const std::uint32_t capacity = pd::node_capacity(GetParam());
  pd::memory_device device(100);
  pd::bulk_writer writer(device, 1, nullptr);
  const block_nr root =
      pd::test::build_tree(writer, pd::test::spaced_keys(9 * capacity + 2, 1), GetParam());
  writer.flush();
  const node_view node(device.block(root));
  ASSERT_EQ(node.nr_entries(), 10U);
  for (std::uint32_t i = 0; i < 8; ++i) {
    EXPECT_EQ(node_view(device.block(node.child(i))).nr_entries(), capacity);
  }
  EXPECT_EQ(node_view(device.block(node.child(8))).nr_entries(), (capacity + 3) / 2);
  EXPECT_EQ(node_view(device.block(node.child(9))).nr_entries(), (capacity + 2) / 2);
}

TEST_P(btree_builder, takes_keys_with_gaps_of_any_width) {
  std::vector<std::uint64_t> keys;
  for (std::uint64_t key = 1; key < UINT64_MAX / 3; key = key * 3 / 2 + 1) {
    keys.push_back(key);
  }
  pd::memory_device device(10);
  pd::bulk_writer writer(device, 1, nullptr);
  const block_nr root = pd::test::build_tree(writer, keys, GetParam());
  writer.flush();
  expect_tree(device, root, keys, GetParam());
}

TEST(btree_builder_of_nothing, makes_one_empty_leaf_of_no_entries) {
  pd::memory_device device(3);
  pd::bulk_writer writer(device, 1, nullptr);
  const block_nr root = pd::test::build_tree(writer, {}, 12);
  EXPECT_EQ(writer.next(), 2U);
  writer.flush();
  const node_view node(device.block(root));
  EXPECT_TRUE(node.is_leaf());
  EXPECT_EQ(node.nr_entries(), 0U);
  EXPECT_EQ(node.max_entries(), 201U);
}

}  // namespace
