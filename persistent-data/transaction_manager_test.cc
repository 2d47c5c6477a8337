#include "persistent-data/transaction_manager.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "base/error.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::array_block;
using pd::block_nr;
using pd::block_ptr;
using pd::node_block;
using pd::transaction_manager;
using pd::test::commit;
using pd::test::commit_check;
using pd::test::read_state;
using pd::test::watched_device;

constexpr std::size_t number_at = 100;  // somewhere in the body of a block

std::uint64_t number_in(const block_ptr& block) {
  return base::get_le64(block->data() + number_at);
}

void put_number(const block_ptr& block, std::uint64_t number) {
  base::put_le64(block->data() + number_at, number);
}

// Transactions over single blocks, each with a number in it, named by block 0.
class transaction : public testing::Test {
 protected:
  transaction() { present_.emplace(transaction_manager::format(watched_)); }

  block_nr create(std::uint64_t number) {
    const block_ptr block = present_->create(array_block);
    put_number(block, number);
    return block->where;
  }

  std::uint64_t get(block_nr where) { return number_in(present_->read(array_block, where)); }

  // Writes `number` into the block; it may move.
  void change(block_nr& where, std::uint64_t number) {
    const auto shadow = present_->make_shadow(array_block, where);
    put_number(shadow.block, number);
    where = shadow.block->where;
  }

  void commit_roots(const std::vector<block_nr>& roots) {
    commit(*present_, roots);
    watched_.keep(read_state(device_).map);
    expect_sound();
  }

  // The last commit holds and counts what it names, and nothing else.
  void expect_sound() {
    commit_check check(device_);
    for (const block_nr root : check.state().roots) {
      EXPECT_FALSE(pd::check_head(array_block, root, device_.block(root)));
      check.add_reference(root);
    }
    check.finish();
  }

  // Starts again from the last commit.
  void reopen() { present_.emplace(pd::test::open(watched_)); }

  pd::memory_device device_{6000};
  watched_device watched_{device_};
  std::optional<transaction_manager> present_;
};

TEST_F(transaction, writes_nothing_before_the_commit) {
  create(1);
  EXPECT_TRUE(watched_.log.empty());
}

TEST_F(transaction, is_there_after_the_commit) {
  const block_nr a = create(1);
  const block_nr b = create(2);
  commit_roots({a, b});
  reopen();
  EXPECT_EQ(read_state(device_).roots, (std::vector<block_nr>{a, b}));
  EXPECT_EQ(get(a), 1U);
  EXPECT_EQ(get(b), 2U);
  EXPECT_EQ(present_->references(a), 1U);
}

TEST_F(transaction, goes_on_behind_a_commit) {
  block_nr a = create(1);
  commit_roots({a});
  for (std::uint64_t number = 2; number < 50; ++number) {
    change(a, number);
    commit_roots({a});
    EXPECT_EQ(base::get_le64(device_.block(a) + number_at), number);
  }
}

TEST_F(transaction, changes_new_blocks_in_place) {
  const block_nr a = create(1);
  const auto [block, shared] = present_->make_shadow(array_block, a);
  EXPECT_EQ(block->where, a);
  EXPECT_FALSE(shared);
  EXPECT_EQ(present_->references(a), 1U);
}

TEST_F(transaction, copies_a_committed_block_once) {
  const block_nr a = create(1);
  commit_roots({a});
  const auto [copy, shared] = present_->make_shadow(array_block, a);
  EXPECT_NE(copy->where, a);
  EXPECT_FALSE(shared);
  EXPECT_EQ(number_in(copy), 1U);
  EXPECT_EQ(present_->references(a), 0U);
  EXPECT_EQ(present_->references(copy->where), 1U);
  EXPECT_EQ(present_->make_shadow(array_block, copy->where).block, copy);
}

TEST_F(transaction, says_that_a_copied_block_is_shared) {
  block_nr a = create(1);
  present_->add_reference(a);
  commit(*present_, {a});
  const auto [copy, shared] = present_->make_shadow(array_block, a);
  EXPECT_NE(copy->where, a);
  EXPECT_TRUE(shared);
  EXPECT_EQ(present_->references(a), 1U);
  EXPECT_EQ(present_->references(copy->where), 1U);
}

TEST_F(transaction, copies_new_blocks_that_are_shared) {
  const block_nr a = create(1);
  present_->add_reference(a);
  block_nr b = a;
  change(b, 2);
  EXPECT_NE(b, a);
  EXPECT_EQ(get(a), 1U);
  EXPECT_EQ(get(b), 2U);
  commit_roots({a, b});
}

TEST_F(transaction, frees_a_block_with_its_last_reference) {
  const block_nr a = create(1);
  present_->add_reference(a);
  EXPECT_FALSE(present_->drop_reference(a));
  EXPECT_TRUE(present_->drop_reference(a));
  EXPECT_THROW(present_->drop_reference(a), base::data_error);
  EXPECT_THROW(present_->add_reference(a), base::data_error);
  commit_roots({});
}

TEST(transaction_manager, writes_nothing_of_a_block_that_was_freed_again) {
  pd::memory_device device(100);
  auto transaction = transaction_manager::format(device);
  // All blocks, so that the map gets places for its own which were in use before.
  std::vector<block_nr> all;
  EXPECT_THROW(
      while (true) { all.push_back(transaction.create(array_block)->where); }, base::io_error);
  for (const block_nr block : all) {
    EXPECT_TRUE(transaction.drop_reference(block));
  }
  commit(transaction);
  commit_check(device).finish();
}

TEST_F(transaction, never_overwrites_what_the_last_commit_needs) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    std::vector<block_nr> roots;
    std::vector<std::uint64_t> numbers;
    for (std::uint64_t i = 0; i < 400; ++i) {
      roots.push_back(create(i));
      numbers.push_back(i);
    }
    commit_roots(roots);
    // Far more changes than blocks fit in memory: most are written early.
    for (int round = 0; round < 3; ++round) {
      const std::size_t before = watched_.log.size();
      for (int i = 0; i < 1500; ++i) {
        const std::size_t at = random() % roots.size();
        numbers[at] = random();
        change(roots[at], numbers[at]);
        present_->drop_reference(create(random()));
        if (i % 2 == 0) {
          roots.push_back(create(i));
          numbers.push_back(i);
        }
      }
      EXPECT_GT(watched_.log.size(), before + 100) << "nothing was written early";
      while (roots.size() > 400) {
        present_->drop_reference(roots.back());
        roots.pop_back();
        numbers.pop_back();
      }
      commit_roots(roots);
      for (std::size_t i = 0; i < roots.size(); ++i) {
        ASSERT_EQ(get(roots[i]), numbers[i]);
        ASSERT_EQ(base::get_le64(device_.block(roots[i]) + number_at), numbers[i]);
      }
    }
    for (const block_nr root : roots) {
      present_->drop_reference(root);
    }
  }
}

TEST_F(transaction, leaves_the_last_commit_when_it_is_dropped) {
  std::vector<block_nr> roots;
  for (std::uint64_t i = 0; i < 200; ++i) {
    roots.push_back(create(i));
  }
  commit_roots(roots);
  const auto contents = [&] {
    std::map<block_nr, std::vector<std::byte>> all;
    for (const block_nr where : pd::test::blocks_in_use(device_, read_state(device_).map)) {
      all[where].assign(device_.block(where), device_.block(where) + pd::block_size);
    }
    return all;
  };
  const auto before = contents();
  ASSERT_GT(before.size(), roots.size());
  for (int round = 0; round < 10; ++round) {
    for (block_nr root : roots) {
      change(root, 1000 + round);
      create(round);
    }
    EXPECT_TRUE(contents() == before);
    reopen();
    EXPECT_EQ(get(roots[round]), static_cast<std::uint64_t>(round));
  }
}

TEST_F(transaction, commits_by_block_0_alone_between_two_flushes) {
  block_nr a = create(1);
  commit_roots({a});
  for (std::uint64_t number = 2; number < 5; ++number) {
    watched_.log.clear();
    change(a, number);
    commit_roots({a});
    const auto& log = watched_.log;
    ASSERT_GT(log.size(), 5U);
    const std::vector<block_nr> end(log.end() - 3, log.end());
    EXPECT_EQ(end, (std::vector<block_nr>{watched_device::flushed, 0, watched_device::flushed}));
    EXPECT_EQ(std::count(log.begin(), log.end() - 3, block_nr{0}), 0);
    // Nothing is written twice: the block, the bitmap, the index.
    EXPECT_EQ(log.size(), 3U + 3U);
  }
}

TEST_F(transaction, writes_block_0_alone_for_a_commit_without_changes) {
  const block_nr a = create(1);
  commit_roots({a});
  watched_.log.clear();
  commit_roots({a});
  EXPECT_EQ(watched_.log,
            (std::vector<block_nr>{watched_device::flushed, 0, watched_device::flushed}));
}

TEST_F(transaction, commits_nothing_while_a_block_is_held) {
  const block_nr a = create(1);
  commit_roots({a});
  const auto shadow = present_->make_shadow(array_block, a);
  watched_.log.clear();
  EXPECT_THROW(commit(*present_, {shadow.block->where}), std::logic_error);
  EXPECT_EQ(std::count(watched_.log.begin(), watched_.log.end(), block_nr{0}), 0);
  expect_sound();
}

TEST_F(transaction, may_hold_blocks_that_are_only_read_across_a_commit) {
  const block_nr a = create(1);
  commit_roots({a});
  const block_ptr held = present_->read(array_block, a);
  const block_nr b = create(2);
  commit_roots({a, b});
  EXPECT_EQ(number_in(held), 1U);
}

TEST_F(transaction, has_blocks_in_use_until_the_commit_after_they_were_freed) {
  const block_nr a = create(1);
  commit_roots({a});
  const block_nr committed = read_state(device_).map.nr_allocated;
  EXPECT_EQ(present_->used(), committed);
  EXPECT_EQ(present_->total(), device_.nr_blocks());
  const block_nr b = create(2);
  const block_nr c = create(3);
  EXPECT_EQ(present_->used(), committed + 2);
  present_->drop_reference(a);
  present_->drop_reference(c);
  EXPECT_EQ(present_->used(), committed + 2);
  commit_roots({b});
  EXPECT_EQ(present_->used(), committed);
  reopen();
  EXPECT_EQ(present_->used(), committed);
}

TEST_F(transaction, refuses_blocks_that_are_damaged_or_of_another_type) {
  const block_nr a = create(1);
  const block_nr b = create(2);
  commit_roots({a, b});
  reopen();
  pd::test::spoil(device_, a);
  EXPECT_THROW(present_->read(array_block, a), base::data_error);
  EXPECT_THROW(present_->make_shadow(array_block, a), base::data_error);
  EXPECT_THROW(present_->read(node_block, b), base::data_error);
  EXPECT_EQ(get(b), 2U);
  EXPECT_THROW(present_->make_shadow(node_block, b), base::data_error);
}

TEST_F(transaction, refuses_to_change_a_block_that_the_map_has_as_free) {
  const block_nr a = create(1);
  commit_roots({a});
  EXPECT_TRUE(present_->drop_reference(a));
  EXPECT_THROW(present_->make_shadow(array_block, a), base::data_error);
}

}  // namespace
