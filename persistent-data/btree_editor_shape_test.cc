// Which entries go where when nodes are split, evened out and merged (doc/format.md 3).
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>

#include "persistent-data/btree_editor.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::btree_editor;
using pd::node_view;
using pd::transaction_manager;
using pd::test::value_for;

using sizes = std::vector<std::uint32_t>;

std::vector<std::byte> leaf_with(std::uint32_t value_size, std::uint64_t first_key,
                                 std::uint32_t entries) {
  std::vector<std::byte> block(pd::block_size);
  pd::init_node(block.data(), true, value_size);
  for (std::uint32_t i = 0; i < entries; ++i) {
    const std::uint64_t key = first_key + 2 * std::uint64_t{i};
    pd::put_entry(block.data(), i, key, value_for(key, value_size).data());
  }
  pd::put_nr_entries(block.data(), entries);
  return block;
}

std::vector<std::byte> internal_with(const std::vector<pd::test::node_entry>& entries) {
  std::vector<std::byte> block(pd::block_size);
  pd::init_node(block.data(), false, 8);
  for (std::uint32_t i = 0; i < entries.size(); ++i) {
    std::byte child[8];
    base::put_le64(child, entries[i].child);
    pd::insert_entry(block.data(), i, entries[i].key, child);
  }
  return block;
}

// A root over leaves of given sizes, made by hand. Leaf i holds even keys from 1000 × i on.
class leaves_under_a_root {
 public:
  // The leaves named in `shared` have one more reference, from outside.
  leaves_under_a_root(std::uint32_t value_size, const sizes& entries,
                      const std::vector<std::size_t>& shared = {})
      : values_(pd::plain_values(value_size)) {
    pd::bulk_writer writer(device_, 1, nullptr);
    std::vector<pd::test::node_entry> leaves;
    std::map<block_nr, std::uint32_t> counts;
    for (std::size_t i = 0; i < entries.size(); ++i) {
      const auto leaf = leaf_with(value_size, 1000 * i, entries[i]);
      leaves.push_back({1000 * i, writer.append(pd::node_block, leaf.data())});
      if (std::count(shared.begin(), shared.end(), i) > 0) {
        shared_.push_back(leaves.back().child);
        counts[leaves.back().child] = 2;
      }
    }
    root_ = writer.append(pd::node_block, internal_with(leaves).data());
    pd::test::commit_built(writer, {root_}, counts);
    transaction_.emplace(pd::test::open(device_));
  }

  // An empty tree.
  explicit leaves_under_a_root(std::uint32_t value_size)
      : values_(pd::plain_values(value_size)),
        transaction_(transaction_manager::format(device_)),
        root_(btree_editor(*transaction_, values_).make_empty()) {}

  void insert(std::uint64_t key) {
    btree_editor(*transaction_, values_).insert(root_, key, value_for(key, values_.size).data());
  }
  void remove(std::uint64_t key) {
    EXPECT_TRUE(btree_editor(*transaction_, values_).remove(root_, key));
  }

  // Entries of the leaves, after a commit that is sound.
  sizes shape() {
    pd::test::commit(*transaction_, {root_});
    pd::test::commit_check check(device_);
    check.tree(root_, values_.size);
    for (const block_nr leaf : shared_) {
      check.add_reference(leaf);
    }
    check.finish();
    const auto all = pd::test::walk(device_, root_, values_.size);
    EXPECT_TRUE(all.values_right);
    sizes entries;
    for (const block_nr leaf : all.leaves) {
      entries.push_back(node_view(device_.block(leaf)).nr_entries());
    }
    return entries;
  }

 private:
  pd::memory_device device_{100};
  pd::btree_values values_;
  std::optional<transaction_manager> transaction_;
  block_nr root_ = 0;
  std::vector<block_nr> shared_;
};

TEST(btree_split, of_ascending_keys_is_that_of_the_kernel) {
  const auto after = [](std::uint64_t count) {
    leaves_under_a_root tree(8);
    for (std::uint64_t key = 0; key < count; ++key) {
      tree.insert(key);
    }
    return tree.shape();
  };
  // A full root is split in half.
  EXPECT_EQ(after(252), (sizes{252}));
  EXPECT_EQ(after(253), (sizes{126, 127}));
  EXPECT_EQ(after(300), (sizes{126, 174}));
  // The full right leaf is evened out with the left one, as long as that has room for 8: after 378,
  // 441, 472, 488 and 496 keys.
  EXPECT_EQ(after(378), (sizes{126, 252}));
  EXPECT_EQ(after(379), (sizes{189, 190}));
  EXPECT_EQ(after(500), (sizes{248, 252}));
  // Then it is split in half.
  EXPECT_EQ(after(501), (sizes{248, 126, 127}));
  EXPECT_EQ(after(600), (sizes{248, 126, 226}));
}

TEST(btree_split, of_descending_keys_evens_out_with_the_right_sibling) {
  leaves_under_a_root tree(8);
  for (std::uint64_t key = 378; key > 0; --key) {
    tree.insert(key);
  }
  EXPECT_EQ(tree.shape(), (sizes{252, 126}));
  tree.insert(0);
  EXPECT_EQ(tree.shape(), (sizes{190, 189}));
}

// One key more in leaf `full`, after its 200th.
sizes after_insertion(const sizes& entries, std::size_t full,
                      const std::vector<std::size_t>& shared = {}) {
  leaves_under_a_root tree(8, entries, shared);
  tree.insert(1000 * full + 401);
  return tree.shape();
}

TEST(btree_split, evens_out_with_the_left_sibling_first) {
  EXPECT_EQ(after_insertion({244, 252, 244}, 1), (sizes{248, 249, 244}));
}

TEST(btree_split, evens_out_with_the_right_sibling_if_the_left_has_no_room_for_8) {
  EXPECT_EQ(after_insertion({245, 252, 244}, 1), (sizes{245, 249, 248}));
}

TEST(btree_split, makes_three_of_two_between_full_siblings) {
  const sizes entries = after_insertion({245, 252, 245}, 1);
  ASSERT_EQ(entries.size(), 4U);
  EXPECT_EQ(entries[3], 245U) << "the right sibling stays as it is";
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_NEAR(entries[i], (245 + 252 + 1) / 3, 2);
  }
}

TEST(btree_split, halves_nodes_at_an_edge) {
  EXPECT_EQ(after_insertion({252, 245, 245}, 0), (sizes{126, 127, 245, 245}));
  EXPECT_EQ(after_insertion({245, 245, 252}, 2), (sizes{245, 245, 126, 127}));
  EXPECT_EQ(after_insertion({245, 252}, 1), (sizes{245, 126, 127}));
}

TEST(btree_split, leaves_shared_siblings_alone) {
  EXPECT_EQ(after_insertion({100, 252, 245}, 1, {0}), (sizes{100, 126, 127, 245}));
  EXPECT_EQ(after_insertion({245, 252, 100}, 1, {2}), (sizes{245, 126, 127, 100}));
  EXPECT_EQ(after_insertion({245, 252, 245}, 1, {0}), (sizes{245, 126, 127, 245}));
  EXPECT_EQ(after_insertion({100, 252, 100}, 1, {0}), (sizes{100, 176, 177}));
}

TEST(btree_split, takes_a_shared_leaf_apart_for_its_own_tree_only) {
  EXPECT_EQ(after_insertion({245, 252, 245}, 2, {2}), (sizes{245, 252, 246}));
  EXPECT_EQ(after_insertion({100, 252, 245}, 1, {1}), (sizes{176, 177, 245}));
}

TEST(btree_split, puts_keys_below_all_others_first) {
  leaves_under_a_root tree(8, {100, 100});
  tree.remove(0);
  EXPECT_EQ(tree.shape(), (sizes{99, 100}));
  tree.insert(0);
  EXPECT_EQ(tree.shape(), (sizes{100, 100}));
}

// What leaves of at least 67 entries become when one key of leaf `i` is removed.
sizes after_removal(const sizes& entries, std::size_t i,
                    const std::vector<std::size_t>& shared = {}) {
  leaves_under_a_root tree(12, entries, shared);
  tree.remove(1000 * i);
  return tree.shape();
}

TEST(btree_merge, leaves_alone_what_can_spare_an_entry) {
  EXPECT_EQ(after_removal({67, 68, 67}, 1), (sizes{67, 67, 67}));
}

TEST(btree_merge, joins_leaves_that_cannot_both_spare_one) {
  EXPECT_EQ(after_removal({67, 68}, 0), (sizes{134}));
  EXPECT_EQ(after_removal({68, 67}, 1), (sizes{134}));
  EXPECT_EQ(after_removal({150, 68, 67}, 2), (sizes{150, 134}));
}

TEST(btree_merge, takes_entries_from_a_sibling_that_can_spare_them) {
  EXPECT_EQ(after_removal({69, 67}, 1), (sizes{68, 67}));
  EXPECT_EQ(after_removal({67, 69}, 0), (sizes{67, 68}));
  EXPECT_EQ(after_removal({201, 67, 100}, 1), (sizes{134, 133, 100}));
}

TEST(btree_merge, copies_siblings_that_are_shared) {
  EXPECT_EQ(after_removal({201, 67}, 1, {0, 1}), (sizes{134, 133}));
  EXPECT_EQ(after_removal({68, 67}, 1, {0, 1}), (sizes{134}));
}

// A tree of three levels with nearly empty leaves: 4 children of the root, `fanout` leaves below
// each of them, some keys 0, 1, 2 … in each leaf.
struct sparse_tree {
  std::uint32_t value_size;
  std::uint64_t fanout;
  std::uint32_t keys_in_a_leaf;

  std::uint64_t nr_keys() const { return 4 * fanout * keys_in_a_leaf; }

  block_nr build(pd::bulk_writer& writer) const {
    std::vector<pd::test::node_entry> top;
    std::uint64_t key = 0;
    for (std::uint64_t i = 0; i < 4; ++i) {
      std::vector<pd::test::node_entry> leaves;
      for (std::uint64_t j = 0; j < fanout; ++j, key += 2 * keys_in_a_leaf) {
        const auto leaf = leaf_with(value_size, key, keys_in_a_leaf);
        leaves.push_back({key, writer.append(pd::node_block, leaf.data())});
      }
      top.push_back({leaves[0].key, writer.append(pd::node_block, internal_with(leaves).data())});
    }
    return writer.append(pd::node_block, internal_with(top).data());
  }
};

// Removes all keys in order, beginning with the one at `first`.
void empty(const sparse_tree& shape, std::uint64_t first) {
  pd::memory_device device(60 + 6 * shape.fanout);
  pd::bulk_writer writer(device, 1, nullptr);
  block_nr root = shape.build(writer);
  pd::test::commit_built(writer, {root});
  auto transaction = pd::test::open(device);
  btree_editor tree(transaction, pd::plain_values(shape.value_size));
  for (std::uint64_t i = 0; i < shape.nr_keys(); ++i) {
    ASSERT_TRUE(tree.remove(root, 2 * ((first + i) % shape.nr_keys())));
    pd::test::commit(transaction, {root});
    const auto found = pd::test::walk(device, root, shape.value_size);
    ASSERT_EQ(found.keys.size(), shape.nr_keys() - 1 - i);
    ASSERT_TRUE(found.losses().empty()) << pd::test::text_of(found.found);
  }
  pd::test::commit_check check(device);
  check.tree(root, shape.value_size);
  check.finish();
}

// No kernel leaves such nodes, and they are only a remark to era_check; leaves of different depths
// or without entries are an error.
TEST(btree_merge, keeps_trees_sound_whose_nodes_hold_next_to_nothing) {
  for (const std::uint64_t fanout : {1, 2, 3}) {
    const sparse_tree shape{8, fanout, 2};
    for (std::uint64_t first = 0; first < shape.nr_keys(); ++first) {
      SCOPED_TRACE("fanout " + std::to_string(fanout) + ", from key " + std::to_string(2 * first));
      empty(shape, first);
    }
  }
}

// All leaves below an inner node together make one that is still too small.
TEST(btree_merge, keeps_leaves_at_one_depth_below_a_node_with_one_child_left) {
  const sparse_tree shape{4, 90, 1};
  for (const std::uint64_t first : {0U, 100U, 359U}) {
    empty(shape, first);
  }
}

}  // namespace
