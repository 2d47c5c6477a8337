// Trees that share blocks: a snapshot is one more reference to a root, no more (doc/format.md 7.1
// and 9).
#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "persistent-data/btree_editor.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::btree_editor;
using pd::btree_values;
using pd::transaction_manager;
using pd::test::commit_check;
using pd::test::spaced_keys;
using pd::test::tree_contents;
using pd::test::value_for;

// Superblock, count tree, index and bitmap.
constexpr block_nr blocks_beside_the_trees = 4;

int added = 0;
int dropped = 0;

// Values that name blocks.
const btree_values blocks{8,
                          [](transaction_manager& transaction, const std::byte* value) {
                            ++added;
                            transaction.add_reference(base::get_le64(value));
                          },
                          [](transaction_manager& transaction, const std::byte* value) {
                            ++dropped;
                            transaction.drop_reference(base::get_le64(value));
                          }};

struct tree {
  block_nr root;
  tree_contents model;
};

// Some trees in transactions.
class forest {
 public:
  forest(const btree_values& values, block_nr nr_blocks) : device(nr_blocks), values_(values) {
    transaction.emplace(transaction_manager::format(device));
    trees.push_back({edit().make_empty(), {}});
  }

  // One tree, built in bulk.
  forest(const btree_values& values, block_nr nr_blocks, const std::vector<std::uint64_t>& keys)
      : device(nr_blocks), values_(values) {
    pd::bulk_writer writer(device, 1, nullptr);
    trees.push_back({pd::test::build_tree(writer, keys, values.size), {}});
    for (const std::uint64_t key : keys) {
      trees[0].model[key] = value_for(key, values.size);
    }
    pd::test::commit_built(writer, {});
    transaction.emplace(pd::test::open(device));
  }

  btree_editor edit() { return {*transaction, values_}; }

  void insert(tree& into, std::uint64_t key, std::mt19937_64& random) {
    std::vector<std::byte> value = value_for(random(), values_.size);
    if (values_.add_reference != nullptr) {
      // A new block, or one that a tree has already.
      const auto other = into.model.lower_bound(random() % 10000);
      if (other == into.model.end() || random() % 4 != 0) {
        base::put_le64(value.data(), transaction->create(pd::array_block)->where);
      } else {
        value = other->second;
        transaction->add_reference(base::get_le64(value.data()));
      }
    }
    edit().insert(into.root, key, value.data());
    into.model[key] = value;
  }

  void remove(tree& from, std::uint64_t key) {
    ASSERT_EQ(edit().remove(from.root, key), from.model.erase(key) > 0);
  }

  void snapshot(std::size_t i) {
    transaction->add_reference(trees[i].root);
    trees.push_back(tree(trees[i]));
  }

  void destroy(std::size_t i) {
    edit().destroy(trees[i].root);
    trees.erase(trees.begin() + static_cast<std::ptrdiff_t>(i));
  }

  void commit_and_check() {
    std::vector<block_nr> roots;
    for (const tree& each : trees) {
      roots.push_back(each.root);
    }
    pd::test::commit(*transaction, roots);
    commit_check check(device);
    for (const tree& each : trees) {
      const bool named = values_.add_reference != nullptr;
      EXPECT_TRUE(each.model ==
                  (named ? check.tree_of_blocks(each.root) : check.tree(each.root, values_.size)));
    }
    check.finish();
  }

  pd::memory_device device;
  std::optional<transaction_manager> transaction;
  std::vector<tree> trees;

 private:
  btree_values values_;
};

void change_at_random(forest& all, std::mt19937_64& random, int changes) {
  for (int i = 0; i < changes; ++i) {
    tree& one = all.trees[random() % all.trees.size()];
    const std::uint64_t key = random() % 10000;
    const auto present = one.model.lower_bound(key);
    if (present != one.model.end() && random() % 3 == 0) {
      all.remove(one, present->first);
    } else {
      all.insert(one, key, random);
    }
  }
}

class trees_that_share_blocks : public testing::TestWithParam<std::uint64_t> {};

INSTANTIATE_TEST_SUITE_P(seeds, trees_that_share_blocks, testing::Range<std::uint64_t>(1, 7));

TEST_P(trees_that_share_blocks, change_one_by_one) {
  std::mt19937_64 random(GetParam());
  forest all(GetParam() % 2 == 0 ? blocks : pd::plain_values(12), 15000);
  for (int round = 0; round < 25; ++round) {
    change_at_random(all, random, 300);
    if (all.trees.size() < 4) {
      all.snapshot(random() % all.trees.size());
    }
    if (random() % 4 == 0) {
      all.commit_and_check();
      all.transaction.emplace(pd::test::open(all.device));
    }
    change_at_random(all, random, static_cast<int>(random() % 40));
    if (all.trees.size() > 1 && random() % 3 == 0) {
      all.destroy(random() % all.trees.size());
    }
    all.commit_and_check();
  }
  while (!all.trees.empty()) {
    all.destroy(random() % all.trees.size());
    all.commit_and_check();
  }
  EXPECT_EQ(all.transaction->used(), blocks_beside_the_trees);
}

TEST(snapshot_of_a_tree, shares_all_blocks_but_those_on_the_way_to_a_change) {
  forest all(pd::plain_values(12), 1000, spaced_keys(20000, 1));
  const block_nr one_tree = all.transaction->used();
  all.snapshot(0);
  all.commit_and_check();
  EXPECT_EQ(all.transaction->used(), one_tree);
  all.remove(all.trees[0], 15000);
  all.commit_and_check();
  EXPECT_EQ(all.transaction->used(), one_tree + 2) << "a root and a leaf";
}

TEST(snapshot_of_a_tree, stays_when_the_tree_is_emptied_or_destroyed) {
  for (const std::size_t first : {0U, 1U}) {
    // Three levels.
    forest all(pd::plain_values(12), 2000, spaced_keys(201 * 252 + 1000, 1));
    all.snapshot(0);
    for (std::uint64_t key = 0; key < 52000; key += 20) {
      all.remove(all.trees[0], key);
    }
    all.commit_and_check();
    all.destroy(first);
    all.commit_and_check();
    while (!all.trees[0].model.empty()) {
      all.remove(all.trees[0], all.trees[0].model.begin()->first);
    }
    all.commit_and_check();
    EXPECT_EQ(all.transaction->used(), blocks_beside_the_trees + 1);
  }
}

TEST(snapshot_of_a_tree, is_made_within_one_transaction_with_its_tree) {
  std::mt19937_64 random(1);
  forest all(blocks, 3000);
  change_at_random(all, random, 500);
  all.snapshot(0);
  change_at_random(all, random, 500);
  all.snapshot(1);
  all.destroy(0);
  change_at_random(all, random, 50);
  all.commit_and_check();
}

TEST(snapshot_of_a_tree, pulls_up_the_child_of_a_shared_root) {
  forest all(pd::plain_values(12), 100, spaced_keys(150, 1));
  std::mt19937_64 random(1);
  for (std::uint64_t key = 150; key < 202; ++key) {
    all.insert(all.trees[0], key, random);  // splits the root
  }
  all.commit_and_check();
  all.snapshot(0);
  for (std::uint64_t key = 0; key < 100; ++key) {
    all.remove(all.trees[1], key);
  }
  all.commit_and_check();
  EXPECT_EQ(all.transaction->used(), blocks_beside_the_trees + 3 + 1);
}

TEST(references_of_values, are_added_and_dropped_as_leaves_are_copied) {
  forest all(blocks, 1000);
  std::mt19937_64 random(1);
  const auto expect_calls = [](int adds, int drops) {
    EXPECT_EQ(added, adds);
    EXPECT_EQ(dropped, drops);
    added = 0;
    dropped = 0;
  };
  added = 0;
  dropped = 0;
  for (std::uint64_t key = 0; key < 10; ++key) {
    all.insert(all.trees[0], key, random);
  }
  expect_calls(0, 0);  // the references of the caller have passed to the tree
  all.insert(all.trees[0], 5, random);
  expect_calls(0, 1);
  all.remove(all.trees[0], 5);
  expect_calls(0, 1);
  all.commit_and_check();
  all.insert(all.trees[0], 5, random);
  expect_calls(0, 0);  // the leaf was copied, and the old one is gone
  all.snapshot(0);
  all.insert(all.trees[0], 20000, random);
  expect_calls(10, 0);  // now there are two leaves
  all.remove(all.trees[0], 7);
  expect_calls(0, 1);
  all.snapshot(0);
  all.destroy(0);
  expect_calls(0, 0);  // its snapshot still has the leaf
  all.destroy(1);
  expect_calls(0, 10);
  all.commit_and_check();
  EXPECT_EQ(all.trees[0].model.size(), 10U);
}

}  // namespace
