#include "persistent-data/btree_editor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::btree_editor;
using pd::node_view;
using pd::plain_values;
using pd::transaction_manager;
using pd::test::commit_check;
using pd::test::spaced_keys;
using pd::test::tree_contents;
using pd::test::value_for;

using keys = std::vector<std::uint64_t>;

// Superblock, count tree, index and bitmap.
constexpr block_nr blocks_beside_the_tree = 4;

// A tree in transactions, and a map that is changed alike.
class edited_tree {
 public:
  explicit edited_tree(std::uint32_t value_size, block_nr nr_blocks = 2000)
      : device(nr_blocks), values(plain_values(value_size)) {
    transaction.emplace(transaction_manager::format(device));
    root = edit().make_empty();
  }

  // A tree that was built in bulk.
  edited_tree(std::uint32_t value_size, block_nr nr_blocks, const keys& built)
      : device(nr_blocks), values(plain_values(value_size)) {
    pd::bulk_writer writer(device, 1, nullptr);
    root = pd::test::build_tree(writer, built, value_size);
    pd::test::commit_built(writer, {root});
    transaction.emplace(pd::test::open(device));
    for (const std::uint64_t key : built) {
      model[key] = value_for(key, value_size);
    }
  }

  btree_editor edit() { return {*transaction, values}; }

  void insert(std::uint64_t key, std::uint64_t value) {
    model[key] = value_for(value, values.size);
    edit().insert(root, key, model[key].data());
  }

  void remove(std::uint64_t key) { ASSERT_EQ(edit().remove(root, key), model.erase(key) > 0); }

  void expect_answers(std::uint64_t key) {
    const auto found = model.find(key);
    const auto value = edit().find(root, key);
    ASSERT_EQ(value.has_value(), found != model.end());
    ASSERT_TRUE(!value || *value == found->second);
    const auto lowest = edit().lowest_key(root);
    const auto highest = edit().highest_key(root);
    ASSERT_EQ(lowest.has_value(), !model.empty());
    ASSERT_EQ(highest.has_value(), !model.empty());
    ASSERT_TRUE(!lowest || *lowest == model.begin()->first);
    ASSERT_TRUE(!highest || *highest == model.rbegin()->first);
  }

  void commit_and_check() {
    pd::test::commit(*transaction, {root});
    commit_check check(device);
    EXPECT_TRUE(check.tree(root, values.size) == model);
    check.finish();
  }

  void reopen() { transaction.emplace(pd::test::open(device)); }

  // Entries of the nodes below the root, or of the root alone.
  std::vector<std::uint32_t> shape() {
    std::vector<std::uint32_t> entries;
    const pd::block_ptr top = transaction->read(pd::node_block, root);
    const node_view node(top->data());
    for (std::uint32_t i = 0; !node.is_leaf() && i < node.nr_entries(); ++i) {
      const pd::block_ptr child = transaction->read(pd::node_block, node.child(i));
      entries.push_back(node_view(child->data()).nr_entries());
    }
    return node.is_leaf() ? std::vector{node.nr_entries()} : entries;
  }

  pd::memory_device device;
  pd::btree_values values;
  std::optional<transaction_manager> transaction;
  block_nr root = 0;
  tree_contents model;
};

class btree_editor_of_values : public testing::TestWithParam<std::uint32_t> {};

INSTANTIATE_TEST_SUITE_P(sizes, btree_editor_of_values, testing::Values(4, 8, 12));

TEST_P(btree_editor_of_values, holds_what_a_map_holds) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    edited_tree tree(GetParam());
    // Keys that fill the range, and keys far apart.
    const std::uint64_t range = seed % 2 == 0 ? 3000 : UINT64_MAX;
    keys used;
    for (int i = 0; i < 6000; ++i) {
      const bool old_key = !used.empty() && random() % 2 == 0;
      const std::uint64_t key = old_key ? used[random() % used.size()] : random() % range;
      used.push_back(key);
      // It grows for a while and shrinks for a while.
      if (random() % 10 < (i / 1500 % 2 == 0 ? 8 : 2)) {
        tree.insert(key, random());
      } else {
        tree.remove(key);
      }
      tree.expect_answers(used[random() % used.size()]);
      tree.expect_answers(random() % range);
      if (i % 500 == 0) {
        tree.commit_and_check();
      }
      if (i % 1000 == 0) {
        tree.reopen();
      }
    }
    tree.commit_and_check();
  }
}

keys in_order(std::uint64_t count, const std::string& order) {
  keys all = spaced_keys(count, 3);
  if (order == "descending") {
    std::reverse(all.begin(), all.end());
  } else if (order == "random") {
    std::shuffle(all.begin(), all.end(), std::mt19937_64(5));
  }
  return all;
}

TEST_P(btree_editor_of_values, takes_and_gives_back_many_keys_in_any_order) {
  for (const std::string inserted : {"ascending", "descending", "random"}) {
    for (const std::string removed : {"ascending", "descending", "random"}) {
      SCOPED_TRACE(inserted + ", then " + removed);
      edited_tree tree(GetParam());
      for (const std::uint64_t key : in_order(10000, inserted)) {
        tree.insert(key, key);
      }
      tree.commit_and_check();
      for (const std::uint64_t key : in_order(10000, removed)) {
        tree.remove(key);
        if (tree.model.size() % 2500 == 1) {
          tree.commit_and_check();
        }
      }
      tree.commit_and_check();
      EXPECT_EQ(tree.shape(), (std::vector<std::uint32_t>{0})) << "one empty leaf";
      EXPECT_EQ(tree.transaction->used(), blocks_beside_the_tree + 1);
    }
  }
}

TEST_P(btree_editor_of_values, changes_nothing_for_a_key_that_is_not_there) {
  edited_tree tree(GetParam(), 2000, spaced_keys(5000, 3));
  for (const std::uint64_t key : {1U, 2U, 7000U, 14999U, 20000U}) {
    tree.remove(key);
    EXPECT_EQ(tree.edit().find(tree.root, key), std::nullopt);
  }
  tree.commit_and_check();
}

TEST_P(btree_editor_of_values, gives_keys_of_a_full_leaf_another_value_in_place) {
  const std::uint32_t capacity = pd::node_capacity(GetParam());
  edited_tree tree(GetParam(), 100, spaced_keys(2 * capacity, 1));
  ASSERT_EQ(tree.shape(), (std::vector{capacity, capacity}));
  for (const std::uint64_t key : {0U, capacity - 1, capacity, 2 * capacity - 1}) {
    tree.insert(key, 7);
  }
  EXPECT_EQ(tree.shape(), (std::vector{capacity, capacity}));
  tree.commit_and_check();
}

TEST_P(btree_editor_of_values, hands_out_values_to_be_changed) {
  edited_tree tree(GetParam(), 2000, spaced_keys(5000, 3));
  const block_nr before = tree.root;
  {
    pd::block_ptr leaf;
    std::byte* const value = tree.edit().find_for_update(tree.root, 600, leaf);
    ASSERT_NE(value, nullptr);
    ASSERT_EQ(std::memcmp(value, tree.model[600].data(), GetParam()), 0);
    tree.model[600] = value_for(1, GetParam());
    std::memcpy(value, tree.model[600].data(), GetParam());
    EXPECT_EQ(tree.edit().find_for_update(tree.root, 601, leaf), nullptr);
  }
  EXPECT_NE(tree.root, before);
  tree.commit_and_check();
}

TEST(btree_editor, changes_trees_of_three_levels) {
  for (std::uint64_t seed = 1; seed <= 2; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    // All nodes are full, the root of the leaves' parents has two: the first insertions split nodes
    // of all levels, removals merge them again.
    const std::uint64_t count = 2 * 201 * 252;
    edited_tree tree(12, 4000, spaced_keys(count, 100));
    for (int i = 0; i < 5000; ++i) {
      tree.insert(random() % (100 * count), random());
    }
    tree.commit_and_check();
    keys left;
    for (const auto& [key, value] : tree.model) {
      left.push_back(key);
    }
    if (seed == 1) {
      std::shuffle(left.begin(), left.end(), random);
    }
    for (const std::uint64_t key : left) {
      tree.remove(key);
      if (tree.model.size() % 20000 == 100) {
        tree.commit_and_check();
      }
    }
    tree.commit_and_check();
    EXPECT_EQ(tree.transaction->used(), blocks_beside_the_tree + 1);
  }
}

}  // namespace
