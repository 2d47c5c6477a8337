#include "persistent-data/btree_node.h"

#include <gtest/gtest.h>

#include <random>

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

// Changes nodes and plain lists of keys alike; values say their keys.
class btree_node_change : public testing::TestWithParam<std::uint32_t> {
 protected:
  using keys = std::vector<std::uint64_t>;

  btree_node_change() {
    pd::init_node(left(), true, GetParam());
    pd::init_node(right(), true, GetParam());
  }

  std::byte* left() { return nodes_.block(0); }
  std::byte* right() { return nodes_.block(1); }

  void insert(std::byte* node, std::uint32_t i, std::uint64_t key) {
    pd::insert_entry(node, i, key, pd::test::value_for(key, GetParam()).data());
  }

  // Keys 0, 2, 4 … in the left node, and on from there in the right one.
  void fill(std::uint32_t in_left, std::uint32_t in_right) {
    for (std::uint32_t i = 0; i < in_left + in_right; ++i) {
      const bool to_left = i < in_left;
      insert(to_left ? left() : right(), to_left ? i : i - in_left, 2 * std::uint64_t{i});
    }
  }

  void expect_entries(const std::byte* block, const keys& expected) {
    EXPECT_FALSE(pd::check_node(block, 1, GetParam()));
    const pd::node_view node(block);
    ASSERT_EQ(node.nr_entries(), expected.size());
    for (std::uint32_t i = 0; i < expected.size(); ++i) {
      ASSERT_EQ(node.key(i), expected[i]);
      const auto value = pd::test::value_for(expected[i], GetParam());
      ASSERT_EQ(std::memcmp(node.value(i), value.data(), value.size()), 0) << "of key " << i;
    }
  }

  // As fill() has it.
  void expect_filled(std::uint32_t in_left, std::uint32_t in_right) {
    const keys all = pd::test::spaced_keys(in_left + in_right, 2);
    expect_entries(left(), keys(all.begin(), all.begin() + in_left));
    expect_entries(right(), keys(all.begin() + in_left, all.end()));
  }

  pd::block_buffer nodes_{2};
};

INSTANTIATE_TEST_SUITE_P(value_sizes, btree_node_change, testing::Values(4, 8, 12));

TEST_P(btree_node_change, inserts_and_erases_entries_anywhere) {
  const std::uint32_t capacity = pd::node_capacity(GetParam());
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    pd::init_node(left(), true, GetParam());
    keys model;
    for (int i = 0; i < 3000; ++i) {
      // It is full at times, and empty at others.
      const bool grow = random() % 8 < (i / 600 % 2 == 0 ? 7 : 1);
      const std::uint64_t key = random() % 100000;
      const auto at = std::lower_bound(model.begin(), model.end(), key);
      const auto place = static_cast<std::uint32_t>(at - model.begin());
      if (grow && model.size() < capacity && (at == model.end() || *at != key)) {
        insert(left(), place, key);
        model.insert(at, key);
      } else if (!grow && at != model.end()) {
        pd::erase_entry(left(), place);
        model.erase(at);
      }
      if (i % 100 == 0) {
        expect_entries(left(), model);
      }
    }
  }
}

TEST_P(btree_node_change, moves_entries_between_neighbours) {
  const std::uint32_t capacity = pd::node_capacity(GetParam());
  struct {
    std::uint32_t in_left;
    std::uint32_t in_right;
    std::uint32_t count;
  } const cases[] = {{capacity, 0, capacity},
                     {capacity, 0, capacity / 2},
                     {capacity, 1, 1},
                     {capacity, capacity - 5, 5},
                     {7, 3, 0},
                     {1, 1, 1},
                     {30, 50, 20},
                     {1, capacity - 1, 1}};
  for (const auto& c : cases) {
    SCOPED_TRACE(std::to_string(c.in_left) + ", " + std::to_string(c.in_right) + ", " +
                 std::to_string(c.count));
    pd::init_node(left(), true, GetParam());
    pd::init_node(right(), true, GetParam());
    fill(c.in_left, c.in_right);
    pd::move_entries_right(left(), right(), c.count);
    expect_filled(c.in_left - c.count, c.in_right + c.count);
    pd::move_entries_left(left(), right(), c.count);
    expect_filled(c.in_left, c.in_right);
  }
}

TEST_P(btree_node_change, changes_nothing_behind_the_values) {
  const std::uint32_t capacity = pd::node_capacity(GetParam());
  const std::size_t end = pd::node_header_size + std::size_t{capacity} * (8 + GetParam());
  for (std::byte* const node : {left(), right()}) {
    std::memset(node + end, 0x55, pd::block_size - end);
  }
  fill(capacity, 0);
  pd::move_entries_right(left(), right(), capacity);
  pd::move_entries_left(left(), right(), capacity);
  pd::erase_entry(left(), 0);
  for (std::byte* const node : {left(), right()}) {
    for (std::size_t at = end; at < pd::block_size; ++at) {
      ASSERT_EQ(node[at], std::byte{0x55});
    }
  }
}

TEST_P(btree_node_change, finds_the_last_key_that_is_not_above) {
  for (const std::uint32_t entries : {0U, 1U, 2U, 3U, 100U, pd::node_capacity(GetParam())}) {
    SCOPED_TRACE(std::to_string(entries) + " entries");
    pd::init_node(left(), true, GetParam());
    for (std::uint32_t i = 0; i < entries; ++i) {
      insert(left(), i, 2 * std::uint64_t{i} + 1);  // 1, 3, 5 …
    }
    const pd::node_view node(left());
    EXPECT_EQ(pd::last_not_above(node, 0), std::nullopt);
    for (std::uint32_t i = 0; i < entries; ++i) {
      EXPECT_EQ(pd::last_not_above(node, 2 * std::uint64_t{i} + 1), i);
      EXPECT_EQ(pd::last_not_above(node, 2 * std::uint64_t{i} + 2), i);
    }
    if (entries > 0) {
      EXPECT_EQ(pd::last_not_above(node, UINT64_MAX), entries - 1);
    }
  }
}

}  // namespace
