#include <gtest/gtest.h>

#include <random>

#include "base/error.h"
#include "persistent-data/btree_editor.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::transaction_manager;
using pd::test::read_state;
using pd::test::tree_contents;

constexpr std::uint32_t value_size = 12;

void format(pd::block_device& device) {
  auto transaction = transaction_manager::format(device);
  pd::btree_editor tree(transaction, pd::plain_values(value_size));
  pd::test::commit(transaction, {tree.make_empty()});
}

// One transaction: changes a tree at random, the same way for the same seed. A tree that the commit
// before has kept as a snapshot is dropped, and the present one kept.
void transact(pd::block_device& device, std::uint64_t seed, int changes) {
  std::mt19937_64 random(seed);
  transaction_manager transaction = pd::test::open(device);
  std::vector<block_nr> roots = read_state(device).roots;
  pd::btree_editor tree(transaction, pd::plain_values(value_size));
  if (roots.size() > 1) {
    tree.destroy(roots[1]);
  }
  const block_nr kept = roots[0];
  transaction.add_reference(kept);
  for (int i = 0; i < changes; ++i) {
    const std::uint64_t key = random() % 20000;
    if (random() % 4 == 0) {
      tree.remove(roots[0], key);
    } else {
      tree.insert(roots[0], key, pd::test::value_for(random(), value_size).data());
    }
  }
  pd::test::commit(transaction, {roots[0], kept});
}

// What the last commit holds, which must be sound.
std::vector<tree_contents> contents(pd::block_device& device) {
  pd::test::commit_check check(device);
  std::vector<tree_contents> all;
  for (const block_nr root : check.state().roots) {
    all.push_back(check.tree(root, value_size));
  }
  check.finish();
  return all;
}

// A device after some transactions, and after one more.
class failing_transaction : public testing::TestWithParam<std::uint64_t> {
 protected:
  failing_transaction() {
    format(device_);
    transact(device_, GetParam(), 3000);
    transact(device_, GetParam() + 1, 300);
    old_ = contents(device_);
    pd::memory_device further = device_copy();
    pd::faulty_device counting(further);
    next(counting);
    writes_ = counting.writes_seen();
    new_ = contents(further);
  }

  void next(pd::block_device& device) { transact(device, GetParam() + 2, 300); }

  pd::memory_device device_copy() const {
    pd::memory_device copy(device_.nr_blocks());
    std::memcpy(copy.block(0), device_.block(0), device_.nr_blocks() * pd::block_size);
    return copy;
  }

  pd::memory_device device_{120};
  std::uint64_t writes_ = 0;
  std::vector<tree_contents> old_;
  std::vector<tree_contents> new_;
};

INSTANTIATE_TEST_SUITE_P(seeds, failing_transaction, testing::Values(1, 100, 200));

TEST_P(failing_transaction, leaves_the_old_state_or_the_new_after_any_write) {
  ASSERT_GT(writes_, 10U);
  unsigned with_new = 0;
  for (std::uint64_t write = 0; write <= writes_; ++write) {
    SCOPED_TRACE("write " + std::to_string(write));
    for (std::uint64_t cut = 0; cut < 4; ++cut) {
      pd::memory_device below = device_copy();
      pd::faulty_device device(below);
      device.fail_after_writes(write);
      EXPECT_THROW(next(device), base::io_error);
      std::mt19937_64 random(cut);
      device.cut_power(random);

      const auto found = contents(below);
      EXPECT_TRUE(found == old_ || (found == new_ && write == writes_))
          << "before block 0 is written, the old state must be there";
      with_new += found == new_;
      transact(below, 7, 100);
      contents(below);
    }
  }
  EXPECT_GT(with_new, 0U) << "no cut came after block 0 was written";
}

TEST_P(failing_transaction, leaves_the_old_state_if_a_block_cannot_be_written) {
  for (block_nr block = 0; block < device_.nr_blocks(); ++block) {
    SCOPED_TRACE("block " + std::to_string(block));
    pd::memory_device below = device_copy();
    pd::faulty_device device(below);
    device.fail_writes_of(block);
    bool failed = false;
    try {
      next(device);
    } catch (const base::io_error&) {
      failed = true;
    }
    EXPECT_TRUE(contents(below) == (failed ? old_ : new_));
    EXPECT_TRUE(failed || block != 0);
  }
}

TEST_P(failing_transaction, fails_if_a_block_cannot_be_read) {
  for (const block_nr block : pd::test::blocks_in_use(device_, read_state(device_).map)) {
    pd::memory_device below = device_copy();
    pd::faulty_device device(below);
    device.fail_reads_of(block);
    try {
      next(device);
      EXPECT_TRUE(contents(below) == new_);
    } catch (const base::data_error&) {
      EXPECT_TRUE(contents(below) == old_);
    }
  }
}

TEST(full_device, keeps_the_last_commit) {
  // Sizes at which room runs out at the first commit, between operations and within a commit.
  unsigned failed = 0;
  for (block_nr nr_blocks = 6; nr_blocks < 60; ++nr_blocks) {
    SCOPED_TRACE(std::to_string(nr_blocks) + " blocks");
    pd::memory_device device(nr_blocks);
    format(device);
    for (std::uint64_t seed = 0; seed < 10; ++seed) {
      const auto before = contents(device);
      try {
        transact(device, seed, 300);
      } catch (const base::io_error& e) {
        EXPECT_NE(std::string(e.what()).find("no metadata block is free"), std::string::npos);
        EXPECT_TRUE(contents(device) == before);
        ++failed;
      }
    }
  }
  EXPECT_GT(failed, 100U);
}

TEST(full_device, can_be_emptied) {
  pd::memory_device device(30);
  format(device);
  EXPECT_THROW(
      for (std::uint64_t seed = 0; true; ++seed) { transact(device, seed, 400); }, base::io_error);
  transaction_manager transaction = pd::test::open(device);
  pd::btree_editor tree(transaction, pd::plain_values(value_size));
  for (const block_nr root : read_state(device).roots) {
    tree.destroy(root);
  }
  pd::test::commit(transaction);
  EXPECT_TRUE(contents(device).empty());
  // Superblock, count tree, index and bitmap.
  EXPECT_EQ(read_state(device).map.nr_allocated, 4U);
}

}  // namespace
