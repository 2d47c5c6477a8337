#include "persistent-data/block_cache.h"

#include <gtest/gtest.h>

#include <random>
#include <set>

#include "base/error.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::array_block;
using pd::block_cache;
using pd::block_nr;
using pd::block_ptr;
using pd::node_block;

constexpr std::size_t number_at = 100;  // somewhere in the body of a block

std::uint64_t number_in(const block_ptr& block) {
  return base::get_le64(block->data() + number_at);
}

class block_cache_of_ten : public testing::Test {
 protected:
  // Every block of the device is a node with its own number in it.
  block_cache_of_ten() {
    for (block_nr where = 0; where < device_.nr_blocks(); ++where) {
      put_on_device(where, where);
    }
  }

  void put_on_device(block_nr where, std::uint64_t number) {
    pd::test::change_block(device_, node_block, where,
                           [&](std::byte* block) { base::put_le64(block + number_at, number); });
  }

  std::uint64_t on_device(block_nr where) {
    EXPECT_FALSE(pd::check_head(node_block, where, device_.block(where)));
    return base::get_le64(device_.block(where) + number_at);
  }

  void create(block_nr where, std::uint64_t number) {
    base::put_le64(cache_.create(node_block, where)->data() + number_at, number);
  }

  std::uint64_t get(block_nr where) { return number_in(cache_.get(node_block, where)); }

  // So many that all others have to go.
  void get_others() {
    for (block_nr where = 150; where < 200; ++where) {
      get(where);
    }
  }

  pd::memory_device device_{200};
  pd::faulty_device faulty_{device_};
  pd::test::watched_device watched_{faulty_};
  block_cache cache_{watched_, 10};
};

TEST_F(block_cache_of_ten, gives_what_is_on_the_device) {
  EXPECT_EQ(get(7), 7U);
  const block_ptr block = cache_.get(node_block, 8);
  EXPECT_EQ(block->where, 8U);
  EXPECT_EQ(number_in(block), 8U);
  EXPECT_FALSE(block->changed);
  EXPECT_FALSE(block->contents_checked);
}

TEST_F(block_cache_of_ten, keeps_the_blocks_used_last) {
  get(1);
  for (block_nr where = 2; where <= 40; ++where) {
    get(where);
    get(1);
  }
  // What comes from memory now shows the old contents.
  put_on_device(1, 1001);
  put_on_device(2, 1002);
  EXPECT_EQ(get(1), 1U);
  EXPECT_EQ(get(2), 1002U) << "more blocks in memory than asked for";
}

TEST_F(block_cache_of_ten, keeps_blocks_that_somebody_holds) {
  const block_ptr held = cache_.get(node_block, 1);
  get_others();
  EXPECT_EQ(cache_.get(node_block, 1), held);
}

TEST_F(block_cache_of_ten, may_be_full_of_blocks_that_somebody_holds) {
  std::vector<block_ptr> held;
  for (block_nr where = 1; where <= 30; ++where) {
    held.push_back(cache_.get(node_block, where));
  }
  for (block_nr where = 1; where <= 30; ++where) {
    EXPECT_EQ(cache_.get(node_block, where), held[where - 1]);
  }
}

TEST_F(block_cache_of_ten, creates_zeroed_blocks_and_reads_nothing_for_them) {
  faulty_.fail_reads_of(5);
  const block_ptr block = cache_.create(node_block, 5);
  EXPECT_EQ(number_in(block), 0U);
  EXPECT_TRUE(block->changed);
  EXPECT_TRUE(block->contents_checked);
  EXPECT_EQ(cache_.get(node_block, 5), block);
}

TEST_F(block_cache_of_ten, creates_a_block_in_place_of_one_in_memory) {
  EXPECT_EQ(get(5), 5U);
  EXPECT_EQ(number_in(cache_.create(node_block, 5)), 0U);
  EXPECT_EQ(get(5), 0U);
}

TEST_F(block_cache_of_ten, writes_changed_blocks_back_sealed_and_no_others) {
  get(1);
  create(2, 1002);
  create(3, 1003);
  EXPECT_TRUE(watched_.log.empty());
  EXPECT_TRUE(cache_.write_back());
  EXPECT_EQ(std::set<block_nr>(watched_.log.begin(), watched_.log.end()),
            (std::set<block_nr>{2, 3}));
  faulty_.flush();
  EXPECT_EQ(on_device(2), 1002U);
  EXPECT_EQ(on_device(3), 1003U);

  watched_.log.clear();
  EXPECT_TRUE(cache_.write_back());
  EXPECT_TRUE(watched_.log.empty()) << "all was written before";
}

TEST_F(block_cache_of_ten, leaves_blocks_that_somebody_holds_unwritten) {
  block_ptr held = cache_.create(node_block, 2);
  create(3, 1003);
  EXPECT_FALSE(cache_.write_back());
  EXPECT_EQ(watched_.log, (std::vector<block_nr>{3}));
  get_others();
  EXPECT_EQ(watched_.log, (std::vector<block_nr>{3}));
  held.reset();
  EXPECT_TRUE(cache_.write_back());
  EXPECT_EQ(watched_.log, (std::vector<block_nr>{3, 2}));
}

TEST_F(block_cache_of_ten, writes_changed_blocks_early_when_memory_is_short) {
  for (block_nr where = 1; where <= 30; ++where) {
    create(where, 1000 + where);
  }
  EXPECT_GE(watched_.log.size(), 20U);
  for (block_nr where = 1; where <= 30; ++where) {
    EXPECT_EQ(get(where), 1000 + where);
  }
}

TEST_F(block_cache_of_ten, does_not_write_what_was_forgotten) {
  create(2, 1002);
  cache_.forget(2);
  cache_.forget(3);  // nothing is known of it
  EXPECT_TRUE(cache_.write_back());
  EXPECT_TRUE(watched_.log.empty());
  EXPECT_EQ(get(2), 2U);
}

TEST_F(block_cache_of_ten, refuses_damaged_blocks) {
  pd::test::spoil(device_, 1);
  EXPECT_THROW(get(1), base::data_error);
  pd::seal_block(node_block, 3, device_.block(2));
  EXPECT_THROW(get(2), base::data_error) << "written for another place";
  pd::seal_block(array_block, 3, device_.block(3));
  EXPECT_THROW(get(3), base::data_error) << "a block of another type";
  faulty_.fail_reads_of(4);
  EXPECT_THROW(get(4), base::data_error);
  for (const block_nr nothing : {block_nr{0}, device_.nr_blocks(), UINT64_MAX}) {
    EXPECT_THROW(get(nothing), base::data_error);
  }
  EXPECT_EQ(get(5), 5U);
}

TEST_F(block_cache_of_ten, refuses_a_block_in_memory_as_one_of_another_type) {
  get(1);
  EXPECT_THROW(cache_.get(array_block, 1), base::data_error);
  create(2, 1002);
  EXPECT_THROW(cache_.get(array_block, 2), base::data_error);
  EXPECT_EQ(get(1), 1U);
  EXPECT_EQ(get(2), 1002U) << "the change is not lost";
}

TEST_F(block_cache_of_ten, writes_again_what_the_device_did_not_take) {
  create(2, 1002);
  faulty_.fail_after_writes(0);
  EXPECT_THROW(cache_.write_back(), base::io_error);
  faulty_.fail_after_writes(10);
  EXPECT_TRUE(cache_.write_back());
  EXPECT_EQ(watched_.log, (std::vector<block_nr>{2, 2}));
}

TEST_F(block_cache_of_ten, passes_on_that_there_is_no_room_to_be_made) {
  faulty_.fail_after_writes(0);
  EXPECT_THROW(
      for (block_nr where = 1; where <= 30; ++where) { create(where, where); }, base::io_error);
}

TEST(block_cache, holds_what_was_put_into_it_whatever_its_capacity) {
  for (const std::size_t capacity : {1, 2, 3, 7, 40}) {
    for (std::uint64_t seed = 1; seed <= 3; ++seed) {
      SCOPED_TRACE("capacity " + std::to_string(capacity) + ", seed " + std::to_string(seed));
      std::mt19937_64 random(seed);
      pd::memory_device device(40);
      block_cache cache(device, capacity);
      std::map<block_nr, std::uint64_t> model;
      std::vector<block_ptr> held;
      for (int i = 0; i < 2000; ++i) {
        const block_nr where = 1 + random() % 39;
        const std::uint64_t number = random();
        if (!model.contains(where) || random() % 8 == 0) {
          base::put_le64(cache.create(node_block, where)->data() + number_at, number);
          model[where] = number;
        } else if (random() % 2 == 0) {
          const block_ptr block = cache.get(node_block, where);
          ASSERT_EQ(number_in(block), model[where]);
          block->changed = true;
          base::put_le64(block->data() + number_at, number);
          model[where] = number;
          held.push_back(block);
        } else {
          ASSERT_EQ(number_in(cache.get(node_block, where)), model[where]);
        }
        if (held.size() > 3) {
          held.clear();
        }
      }
      held.clear();
      ASSERT_TRUE(cache.write_back());
      for (const auto& [where, number] : model) {
        EXPECT_FALSE(pd::check_head(node_block, where, device.block(where)));
        EXPECT_EQ(base::get_le64(device.block(where) + number_at), number);
      }
    }
  }
}

}  // namespace
