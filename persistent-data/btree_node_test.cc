#include "persistent-data/btree_node.h"

#include <gtest/gtest.h>

#include "persistent-data/metadata_test_support.h"

namespace {

using base::get_le32;
using base::get_le64;
using base::put_le32;
using pd::damage_kind;

TEST(btree_node, capacity_is_as_the_format_says) {
  EXPECT_EQ(pd::node_capacity(8), 252U);
  EXPECT_EQ(pd::node_capacity(12), 201U);
  EXPECT_EQ(pd::node_capacity(4), 336U);
}

TEST(btree_node, fields_lie_where_the_format_says) {
  pd::memory_device device(2);
  pd::test::put_leaf(device, 1, 12, {5, 7});
  const std::byte* const block = device.block(1);
  EXPECT_EQ(get_le32(block + 4), 2U);
  EXPECT_EQ(get_le64(block + 8), 1U);
  EXPECT_EQ(get_le32(block + 16), 2U);
  EXPECT_EQ(get_le32(block + 20), 201U);
  EXPECT_EQ(get_le32(block + 24), 12U);
  EXPECT_EQ(get_le32(block + 28), 0U);
  EXPECT_EQ(get_le64(block + 32), 5U);
  EXPECT_EQ(get_le64(block + 40), 7U);
  EXPECT_EQ(std::memcmp(block + 1640, pd::test::value_for(5, 12).data(), 12), 0);
  EXPECT_EQ(std::memcmp(block + 1652, pd::test::value_for(7, 12).data(), 12), 0);

  const pd::node_view node(block);
  EXPECT_TRUE(node.is_leaf());
  EXPECT_EQ(node.nr_entries(), 2U);
  EXPECT_EQ(node.key(1), 7U);
}

TEST(btree_node, values_begin_behind_the_keys_that_fit) {
  pd::block_buffer block(1);
  for (const auto& [value_size, at] : {std::pair{4U, 2720}, {8U, 2048}, {12U, 1640}}) {
    pd::init_node(block.block(0), true, value_size);
    EXPECT_EQ(pd::node_view(block.block(0)).value(0) - block.block(0), at);
  }
}

class btree_node_check : public testing::Test {
 protected:
  btree_node_check() { pd::test::put_leaf(device_, 1, 12, {5, 7, 9}); }

  // What is found after `value` was put at a byte offset.
  std::optional<pd::damage> after(std::size_t at, std::uint32_t value) {
    put_le32(device_.block(1) + at, value);
    return pd::check_node(device_.block(1), 1, 12);
  }

  void expect(const std::optional<pd::damage>& found, damage_kind kind) {
    ASSERT_TRUE(found);
    EXPECT_EQ(found->kind, kind) << found->what;
    EXPECT_EQ(found->block, 1U);
    EXPECT_FALSE(found->what.empty());
  }

  pd::memory_device device_{2};
};

TEST_F(btree_node_check, passes_good_nodes) {
  EXPECT_FALSE(pd::check_node(device_.block(1), 1, 12));
  pd::test::put_leaf(device_, 1, 12, {});
  EXPECT_FALSE(pd::check_node(device_.block(1), 1, 12));
  pd::test::put_internal(device_, 1, {{0, 5}, {UINT64_MAX, 6}});
  EXPECT_FALSE(pd::check_node(device_.block(1), 1, 12));
}

TEST_F(btree_node_check, finds_flags_that_are_not_exactly_one) {
  for (const std::uint32_t flags : {0U, 3U, 4U, 6U, 0x80000002U}) {
    expect(after(4, flags), damage_kind::node_header);
  }
}

TEST_F(btree_node_check, finds_another_value_size) {
  for (const std::uint32_t size : {0U, 4U, 8U, 13U, UINT32_MAX}) {
    expect(after(24, size), damage_kind::node_header);
  }
}

TEST_F(btree_node_check, wants_values_of_8_bytes_in_internal_nodes) {
  expect(after(4, 1), damage_kind::node_header);
}

TEST_F(btree_node_check, finds_more_entries_than_fit) {
  expect(after(16, 202), damage_kind::node_header);
  expect(after(16, UINT32_MAX), damage_kind::node_header);
}

TEST_F(btree_node_check, finds_an_impossible_maximum) {
  for (const std::uint32_t max : {200U, 202U, 204U, 0xFFFFFFFFU, 0x55555555U}) {
    expect(after(20, max), damage_kind::node_header);
  }
}

TEST_F(btree_node_check, remarks_on_an_unusual_maximum) {
  expect(after(20, 198), damage_kind::node_odd_maximum);
  expect(after(20, 3), damage_kind::node_odd_maximum);
}

TEST_F(btree_node_check, finds_keys_that_do_not_ascend) {
  pd::test::put_leaf(device_, 1, 12, {5, 5, 9});
  expect(pd::check_node(device_.block(1), 1, 12), damage_kind::node_key_order);
  pd::test::put_leaf(device_, 1, 12, {5, 7, 6});
  expect(pd::check_node(device_.block(1), 1, 12), damage_kind::node_key_order);
  pd::test::put_internal(device_, 1, {{8, 5}, {7, 6}});
  expect(pd::check_node(device_.block(1), 1, 12), damage_kind::node_key_order);
}

TEST_F(btree_node_check, ignores_leftovers_behind_the_entries) {
  pd::test::put_leaf(device_, 1, 12, {5, 7, 6});
  EXPECT_FALSE(after(16, 2));
}

}  // namespace
