#include "persistent-data/bitset_editor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <random>

#include "base/error.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::bitset_editor;
using pd::block_nr;
using pd::transaction_manager;
using pd::test::change_block;
using pd::test::child_of;
using pd::test::commit_check;

// Superblock, count tree, index and bitmap.
constexpr block_nr blocks_beside_the_bitset = 4;

constexpr std::uint64_t bits_per_block = 509 * 64;

using words = std::vector<std::uint64_t>;

// Bits past the end are 0 (doc/format.md 4).
words words_of(const std::vector<bool>& bits) {
  words packed(base::ceil_div(bits.size(), 64));
  for (std::size_t i = 0; i < bits.size(); ++i) {
    packed[i / 64] |= std::uint64_t{bits[i]} << i % 64;
  }
  return packed;
}

// A bitset in transactions, and a vector that is changed alike.
class bitset : public testing::Test {
 protected:
  bitset() { restart(0); }

  void restart(std::uint64_t nr_bits) {
    present_.emplace(transaction_manager::format(device_));
    bits_.emplace(bitset_editor::make(*present_, nr_bits));
    model_.assign(nr_bits, false);
  }

  void set(std::uint64_t bit) {
    bits_->set(bit);
    model_[bit] = true;
  }

  void resize(std::uint64_t nr_bits) {
    bits_->resize(nr_bits);
    model_.resize(nr_bits);
    EXPECT_EQ(bits_->nr_bits(), nr_bits);
  }

  // What the bitset holds on the device after a commit without a flush.
  words committed() {
    pd::test::commit(*present_, {bits_->root()});
    commit_check check(device_);
    const words found = check.array(pd::bitset_root(bits_->root(), bits_->nr_bits()));
    check.finish();
    return found;
  }

  void flush_and_check() {
    bits_->flush();
    EXPECT_TRUE(committed() == words_of(model_));
  }

  // Starts again from a commit.
  void reopen() {
    const block_nr root = pd::test::read_state(device_).roots[0];
    present_.emplace(pd::test::open(device_));
    bits_.emplace(*present_, root, model_.size());
  }

  pd::memory_device device_{300};
  std::optional<transaction_manager> present_;
  std::optional<bitset_editor> bits_;
  std::vector<bool> model_;
};

TEST_F(bitset, has_no_bit_set_at_first) {
  for (const std::uint64_t nr_bits : {std::uint64_t{0}, std::uint64_t{1}, std::uint64_t{64},
                                      std::uint64_t{65}, bits_per_block, 3 * bits_per_block + 1}) {
    SCOPED_TRACE(nr_bits);
    restart(nr_bits);
    EXPECT_EQ(bits_->nr_bits(), nr_bits);
    flush_and_check();
  }
}

TEST_F(bitset, holds_what_a_vector_holds) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    restart(0);
    const std::uint64_t edges[] = {0,
                                   1,
                                   63,
                                   64,
                                   65,
                                   bits_per_block - 1,
                                   bits_per_block,
                                   bits_per_block + 1,
                                   3 * bits_per_block};
    for (int round = 0; round < 40; ++round) {
      if (random() % 2 == 0) {
        resize(edges[random() % std::size(edges)]);
      } else if (random() % 2 == 0) {
        resize(random() % (4 * bits_per_block));
      }
      for (int i = 0; i < 100 && !model_.empty(); ++i) {
        // In runs, as a writer sets them, and anywhere.
        const std::uint64_t first = random() % model_.size();
        for (std::uint64_t bit = first; bit < std::min(first + i % 5, model_.size()); ++bit) {
          set(bit);
        }
        const std::uint64_t at = random() % 2 == 0 ? first : random() % model_.size();
        ASSERT_EQ(bits_->test(at), model_[at]) << "bit " << at;
      }
      if (random() % 3 == 0) {
        flush_and_check();
        reopen();
      }
    }
    flush_and_check();
  }
}

TEST_F(bitset, keeps_a_word_back_until_it_is_flushed) {
  restart(1000);
  const words nothing = committed();
  set(130);
  set(140);
  EXPECT_TRUE(bits_->test(130));
  EXPECT_EQ(committed(), nothing) << "a commit needs a flush before it";
  flush_and_check();
}

TEST_F(bitset, writes_the_word_kept_back_when_it_turns_to_another) {
  restart(1000);
  set(130);
  EXPECT_FALSE(bits_->test(500));
  EXPECT_EQ(committed(), words_of(model_));
  EXPECT_TRUE(bits_->test(130));
}

TEST_F(bitset, does_not_move_for_bits_that_are_set_already) {
  restart(1000);
  set(130);
  flush_and_check();
  const block_nr root = bits_->root();
  set(130);
  bits_->flush();
  EXPECT_EQ(bits_->root(), root);
  set(131);
  bits_->flush();
  EXPECT_NE(bits_->root(), root);
  flush_and_check();
}

TEST_F(bitset, can_be_changed_on_after_a_commit) {
  restart(1000);
  for (std::uint64_t bit = 0; bit < 70; ++bit) {
    set(bit);
    flush_and_check();
  }
}

TEST_F(bitset, forgets_the_bits_that_are_cut_off) {
  for (const std::uint64_t end : {0U, 1U, 63U, 64U, 65U, 127U, 128U}) {
    for (const bool flushed : {false, true}) {
      SCOPED_TRACE(std::to_string(end) + (flushed ? ", flushed" : ""));
      restart(200);
      for (std::uint64_t bit = 0; bit < 200; ++bit) {
        set(bit);
      }
      if (flushed) {
        flush_and_check();
      }
      resize(end);
      resize(300);
      EXPECT_FALSE(bits_->test(199)) << "the last one that was set before";
      EXPECT_FALSE(bits_->test(end));
      flush_and_check();
    }
  }
}

TEST_F(bitset, forgets_a_word_kept_back_that_is_cut_off) {
  restart(200);
  set(190);
  resize(100);
  set(99);
  resize(200);
  EXPECT_FALSE(bits_->test(190));
  flush_and_check();
}

// Others may have left such bits, and a reader has to ignore them (doc/format.md 4).
TEST_F(bitset, takes_bits_behind_its_end_for_unset_when_it_grows) {
  restart(70);
  set(69);
  flush_and_check();
  const block_nr block = child_of(device_, bits_->root(), 0);
  change_block(device_, pd::array_block, block, [](std::byte* bytes) {
    base::put_le64(bytes + pd::array_header_size + 8, UINT64_MAX);  // the second word
  });
  for (std::uint64_t bit = 64; bit < 70; ++bit) {
    model_[bit] = true;
  }
  reopen();
  resize(200);
  flush_and_check();
}

TEST_F(bitset, has_no_bits_behind_its_end) {
  restart(70);
  for (const std::uint64_t bit : {std::uint64_t{70}, std::uint64_t{127}, UINT64_MAX}) {
    EXPECT_THROW(bits_->test(bit), std::out_of_range);
    EXPECT_THROW(bits_->set(bit), std::out_of_range);
  }
  flush_and_check();
}

TEST_F(bitset, shares_blocks_with_its_snapshots) {
  restart(5 * bits_per_block);
  std::mt19937_64 random(1);
  for (int round = 0; round < 5; ++round) {
    for (int i = 0; i < 50; ++i) {
      set(random() % model_.size());
    }
    bits_->flush();
    const std::vector<bool> kept = model_;
    const block_nr snapshot = bits_->root();
    present_->add_reference(snapshot);
    for (int i = 0; i < 5; ++i) {
      set(random() % model_.size());
    }
    bits_->flush();
    pd::test::commit(*present_, {bits_->root(), snapshot});
    commit_check check(device_);
    EXPECT_TRUE(check.array(pd::bitset_root(bits_->root(), model_.size())) == words_of(model_));
    EXPECT_TRUE(check.array(pd::bitset_root(snapshot, model_.size())) == words_of(kept));
    check.finish();
    bitset_editor(*present_, snapshot, model_.size()).destroy();
    flush_and_check();
  }
}

TEST_F(bitset, leaves_nothing_when_it_is_destroyed) {
  restart(5 * bits_per_block);
  set(7);
  flush_and_check();
  bits_->destroy();
  pd::test::commit(*present_);
  commit_check(device_).finish();
  EXPECT_EQ(present_->used(), blocks_beside_the_bitset);
}

TEST_F(bitset, is_refused_without_one_of_its_blocks) {
  restart(bits_per_block);
  flush_and_check();
  model_.resize(2 * bits_per_block);
  reopen();
  EXPECT_FALSE(bits_->test(0));
  EXPECT_THROW(bits_->test(bits_per_block), base::data_error);
  EXPECT_THROW(bits_->set(bits_per_block), base::data_error);
}

}  // namespace
