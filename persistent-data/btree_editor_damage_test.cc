// Trees that are not what they should be, with good checksums: nothing but base::data_error (or
// base::io_error, where the device fills up) may come of them.
#include <gtest/gtest.h>

#include <functional>
#include <random>

#include "base/error.h"
#include "persistent-data/btree_editor.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::btree_editor;
using pd::transaction_manager;
using pd::test::change_block;
using pd::test::put_internal;
using pd::test::put_leaf;
using pd::test::spaced_keys;
using pd::test::value_for;

constexpr std::uint32_t value_size = 8;

using operation = std::function<void(btree_editor& tree, block_nr& root, std::uint64_t key)>;

const std::vector<std::pair<const char*, operation>> reading{
    {"find", [](auto& tree, auto& root, auto key) { tree.find(root, key); }},
    {"lowest_key", [](auto& tree, auto& root, auto) { tree.lowest_key(root); }},
    {"highest_key", [](auto& tree, auto& root, auto) { tree.highest_key(root); }},
};
const std::vector<std::pair<const char*, operation>> changing{
    {"insert", [](auto& tree, auto& root,
                  auto key) { tree.insert(root, key, value_for(key, value_size).data()); }},
    {"remove", [](auto& tree, auto& root, auto key) { tree.remove(root, key); }},
    {"find_for_update",
     [](auto& tree, auto& root, auto key) {
       pd::block_ptr leaf;
       tree.find_for_update(root, key, leaf);
     }},
};

// Blocks 1 to 40 are in use, and it is up to the test to put nodes there; block 1 is the root.
class damaged_tree : public testing::Test {
 protected:
  void put_in_use(const std::map<block_nr, std::uint32_t>& counts = {}) {
    pd::bulk_writer writer(device_, 1, nullptr);
    const pd::block_buffer nothing(1);
    while (writer.next() <= 40) {
      writer.append(pd::node_block, nothing.block(0));
    }
    pd::test::commit_built(writer, {1}, counts);
    first_free_ = read_first_free();
  }

  block_nr read_first_free() {
    return transaction_manager(pd::test::open(device_)).create(pd::node_block)->where;
  }

  void expect_refused(const std::vector<std::pair<const char*, operation>>& operations,
                      std::uint64_t key) {
    for (const auto& [name, run] : operations) {
      SCOPED_TRACE(name);
      auto transaction = pd::test::open(device_);
      btree_editor tree(transaction, pd::plain_values(value_size));
      block_nr root = 1;
      EXPECT_THROW(run(tree, root, key), base::data_error);
    }
  }
  void expect_refused(std::uint64_t key) {
    expect_refused(reading, key);
    expect_refused(changing, key);
  }

  pd::memory_device device_{3000};  // a circle can unroll a long way
  block_nr first_free_ = 0;
};

TEST_F(damaged_tree, is_refused_if_it_runs_in_a_circle) {
  for (const std::uint32_t references : {1U, 2U, 3U, UINT32_MAX}) {
    SCOPED_TRACE(std::to_string(references) + " references");
    put_in_use({{1, references}});
    put_internal(device_, 1, {{0, 1}});
    expect_refused(5);
    put_internal(device_, 1, {{0, 2}, {100, 3}});
    put_internal(device_, 2, {{0, 1}, {50, 1}});
    put_internal(device_, 3, {{100, 1}, {150, 1}});
    for (const std::uint64_t key : {5, 60, 120, 160}) {
      expect_refused(key);
    }
  }
}

TEST_F(damaged_tree, can_be_destroyed_even_if_it_runs_in_a_circle) {
  put_in_use({{2, 2}});
  put_internal(device_, 1, {{0, 2}});
  put_internal(device_, 2, {{0, 3}});
  put_internal(device_, 3, {{0, 2}});
  auto transaction = pd::test::open(device_);
  btree_editor(transaction, pd::plain_values(value_size)).destroy(1);
  EXPECT_EQ(transaction.references(1), 0U);
  EXPECT_EQ(transaction.references(2), 1U) << "the circle itself holds it";
}

TEST_F(damaged_tree, is_refused_if_nodes_are_shared_without_a_count) {
  put_in_use();
  put_internal(device_, 1, {{0, 2}, {100, 2}});
  put_leaf(device_, 2, value_size, {5});
  auto transaction = pd::test::open(device_);
  EXPECT_THROW(btree_editor(transaction, pd::plain_values(value_size)).destroy(1),
               base::data_error);
  expect_refused({changing[1]}, 5);  // needs both children
}

TEST_F(damaged_tree, is_refused_with_a_leaf_beside_an_internal_node) {
  put_in_use();
  const std::uint32_t full = pd::node_capacity(value_size);
  for (const std::size_t entries : {std::size_t{1}, std::size_t{full}}) {
    put_leaf(device_, 3, value_size, spaced_keys(entries, 1));
    put_internal(device_, 2, {{1000, 4}});
    put_internal(device_, 1, {{0, 3}, {1000, 2}});
    expect_refused({changing[entries == 1 ? 1 : 0]}, 500);
    put_internal(device_, 2, {{0, 4}});
    std::vector<std::uint64_t> keys = spaced_keys(entries, 1);
    for (std::uint64_t& key : keys) {
      key += 1000;
    }
    put_leaf(device_, 3, value_size, keys);
    put_internal(device_, 1, {{0, 2}, {1000, 3}});
    expect_refused({changing[entries == 1 ? 1 : 0]}, 1500);
  }
}

TEST_F(damaged_tree, is_refused_if_an_internal_node_is_empty) {
  put_in_use();
  put_internal(device_, 1, {});
  expect_refused(5);
  put_internal(device_, 1, {{0, 2}});
  put_internal(device_, 2, {});
  expect_refused(5);
}

TEST_F(damaged_tree, is_refused_if_its_values_have_another_size) {
  for (const std::uint32_t other : {4U, 12U}) {
    put_in_use();
    put_leaf(device_, 1, other, {5});
    expect_refused(5);
    put_internal(device_, 1, {{0, 2}});
    put_leaf(device_, 2, other, {5});
    expect_refused(5);
  }
}

// What is in memory was checked as a node of the tree that it came with.
TEST_F(damaged_tree, is_refused_if_it_leads_into_a_tree_of_other_values) {
  put_in_use({{2, 2}});
  put_internal(device_, 1, {{0, 2}});
  put_leaf(device_, 2, 4, {5});
  for (const auto& operations : {reading, changing}) {
    for (const auto& [name, run] : operations) {
      SCOPED_TRACE(name);
      auto transaction = pd::test::open(device_);
      EXPECT_EQ(btree_editor(transaction, pd::plain_values(4)).find(2, 5), value_for(5, 4));
      btree_editor tree(transaction, pd::plain_values(value_size));
      block_nr root = 1;
      EXPECT_THROW(run(tree, root, 5), base::data_error);
      root = 2;
      EXPECT_THROW(run(tree, root, 5), base::data_error);
    }
  }
}

TEST_F(damaged_tree, is_refused_for_what_is_wrong_inside_a_node) {
  struct {
    std::size_t at;
    std::uint32_t value;
  } const wrong[] = {{4, 0},    {4, 3},    {16, 253}, {16, UINT32_MAX}, {20, 0},
                     {20, 251}, {20, 198}, {24, 0},   {32, 6}};
  for (const auto& field : wrong) {
    SCOPED_TRACE(std::to_string(field.value) + " at " + std::to_string(field.at));
    put_in_use();
    put_leaf(device_, 1, value_size, {5, 6});
    const auto damage = [&](std::byte* block) { base::put_le32(block + field.at, field.value); };
    change_block(device_, pd::node_block, 1, damage);
    expect_refused(5);
  }
}

TEST_F(damaged_tree, is_refused_if_a_child_is_no_node) {
  put_in_use();
  pd::seal_block(pd::array_block, 3, device_.block(3));
  for (const block_nr child :
       {block_nr{0}, block_nr{3}, block_nr{42}, device_.nr_blocks(), UINT64_MAX}) {
    put_internal(device_, 1, {{0, child}});
    expect_refused(5);
  }
}

// The map has it as free, so that it is handed out for the copy of the root: a node that is its own
// child, or its own sibling's neighbour.
TEST_F(damaged_tree, is_refused_if_it_leads_to_a_free_block) {
  put_in_use();
  for (const block_nr free : {first_free_, first_free_ + 1, first_free_ + 2}) {
    SCOPED_TRACE(free - first_free_);
    for (const std::uint64_t key : {50, 150, 250}) {
      put_internal(device_, 1, {{0, 2}, {100, free}, {200, 3}});
      put_internal(device_, 2, {{0, 4}, {50, free}});
      put_internal(device_, 3, {{200, 5}, {250, free}});
      expect_refused(changing, key);
      put_internal(device_, 1, {{0, free}});
      expect_refused(changing, key);
    }
  }
}

TEST_F(damaged_tree, is_refused_if_a_full_leaf_is_its_own_neighbour) {
  put_in_use();
  std::vector<std::uint64_t> full = spaced_keys(pd::node_capacity(value_size), 1);
  put_leaf(device_, 3, value_size, full);
  for (std::uint64_t& key : full) {
    key += 1000;
  }
  put_leaf(device_, 2, value_size, full);
  // The copy of the root gets the first free block, that of leaf 2 the next.
  put_internal(device_, 1, {{0, first_free_ + 1}, {1000, 2}, {2000, 3}});
  expect_refused({changing[0]}, 1500);
}

// Changes a field or two of a node at random.
void damage_at_random(pd::memory_device& device, block_nr where, std::mt19937_64& random) {
  change_block(device, pd::node_block, where, [&](std::byte* block) {
    const std::uint32_t entry = random() % 252;
    switch (random() % 6) {
      case 0:
        base::put_le32(block + 4, 1 + random() % 2);
        break;
      case 1:
        base::put_le32(block + 16, random() % 253);
        break;
      case 2:
        base::put_le32(block + 20, 3 * (random() % 85));
        break;
      case 3:
        base::put_le64(block + 32 + 8 * entry, random() % 20000);
        break;
      default:
        base::put_le64(block + 2048 + 8 * entry, random() % 40);
    }
  });
}

TEST(btree_editor, survives_trees_that_are_damaged_at_random) {
  pd::memory_device built(80);
  pd::bulk_writer writer(built, 1, nullptr);
  const block_nr root = pd::test::build_tree(writer, spaced_keys(5000, 3), value_size);
  pd::test::commit_built(writer, {root});
  unsigned refused = 0;
  for (std::uint64_t seed = 1; seed <= 300; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    pd::memory_device device(80);
    std::memcpy(device.block(0), built.block(0), 80 * pd::block_size);
    for (int i = 0; i < 4; ++i) {
      damage_at_random(device, random() % 2 == 0 ? root : 1 + random() % root, random);
    }
    auto transaction = pd::test::open(device);
    btree_editor tree(transaction, pd::plain_values(value_size));
    block_nr present = root;
    try {
      for (int i = 0; i < 2000; ++i) {
        const std::uint64_t key = random() % 20000;
        const auto& operations = random() % 8 == 0 ? reading : changing;
        operations[random() % 3].second(tree, present, key);
      }
      tree.destroy(present);
    } catch (const base::data_error&) {
      ++refused;
    } catch (const base::io_error&) {
    }
  }
  EXPECT_GT(refused, 100U) << "hardly anything was found damaged";
}

}  // namespace
