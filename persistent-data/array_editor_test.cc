#include "persistent-data/array_editor.h"

#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "base/error.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::array_editor;
using pd::array_root;
using pd::block_nr;
using pd::transaction_manager;
using pd::test::change_block;
using pd::test::child_of;
using pd::test::commit_check;
using pd::test::element_for;

// Superblock, count tree, index and bitmap.
constexpr block_nr blocks_beside_the_array = 4;

using elements = std::vector<std::uint64_t>;

// An array in transactions, and a vector that is changed alike.
class edited_array {
 public:
  explicit edited_array(std::uint32_t value_size, block_nr nr_blocks = 1000) : device(nr_blocks) {
    transaction.emplace(transaction_manager::format(device));
    array.emplace(array_editor::make_empty(*transaction, value_size));
  }

  // An array that was built in bulk for `nr_built` elements. If it has fewer, stale blocks follow.
  edited_array(std::uint32_t value_size, std::uint64_t nr_built, std::uint64_t nr_elements)
      : device(1000) {
    pd::bulk_writer writer(device, 1, nullptr);
    array_root where = pd::test::build_array(writer, value_size, nr_built);
    pd::test::commit_built(writer, {where.root});
    where.nr_elements = nr_elements;
    committed = where;
    transaction.emplace(pd::test::open(device));
    array.emplace(*transaction, where);
    for (std::uint64_t i = 0; i < nr_elements; ++i) {
      model.push_back(element_for(i, value_size));
    }
  }

  std::uint32_t capacity() const { return pd::array_capacity(array->where().value_size); }

  void set(std::uint64_t i, std::uint64_t value) {
    model[i] = array->where().value_size == 4 ? value & UINT32_MAX : value;
    array->set(i, value);
  }

  void resize(std::uint64_t nr_elements) {
    model.resize(nr_elements);
    array->resize(nr_elements);
    EXPECT_EQ(array->where().nr_elements, nr_elements);
  }

  // Sets elements all over the array.
  void scribble() {
    for (std::uint64_t i = 0; i < model.size(); i += 1 + i / 7) {
      set(i, element_for(i, 8));
    }
    if (!model.empty()) {
      set(model.size() - 1, UINT64_MAX);
    }
  }

  void expect_elements() {
    for (std::uint64_t i = 0; i < model.size(); ++i) {
      ASSERT_EQ(array->get(i), model[i]) << "element " << i;
    }
  }

  void commit_and_check() {
    committed = array->where();
    pd::test::commit(*transaction, {committed.root});
    commit_check check(device);
    EXPECT_TRUE(check.array(committed) == model);
    check.finish();
  }

  // Starts again from the last commit.
  void reopen() {
    transaction.emplace(pd::test::open(device));
    array.emplace(*transaction, committed);
  }

  pd::memory_device device;
  std::optional<transaction_manager> transaction;
  std::optional<array_editor> array;
  array_root committed;
  elements model;
};

class array_editor_of_values : public testing::TestWithParam<std::uint32_t> {};

INSTANTIATE_TEST_SUITE_P(sizes, array_editor_of_values, testing::Values(4, 8));

TEST_P(array_editor_of_values, holds_what_a_vector_holds) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    edited_array a(GetParam());
    for (int round = 0; round < 40; ++round) {
      // Exact multiples of the capacity and their neighbours more often than others.
      const std::uint64_t blocks = random() % 6;
      const std::uint64_t wanted = random() % 2 == 0
                                       ? random() % (6 * a.capacity())
                                       : blocks * a.capacity() + random() % 3 - (blocks > 0);
      a.resize(wanted);
      for (int i = 0; i < 100 && !a.model.empty(); ++i) {
        a.set(random() % a.model.size(), random());
        const std::uint64_t at = random() % a.model.size();
        ASSERT_EQ(a.array->get(at), a.model[at]);
      }
      if (random() % 2 == 0) {
        a.commit_and_check();
      }
      if (round % 4 == 0) {
        a.commit_and_check();
        a.reopen();
        a.expect_elements();
      }
    }
  }
}

TEST_P(array_editor_of_values, goes_from_any_length_to_any_other) {
  const std::uint64_t c = pd::array_capacity(GetParam());
  const std::vector<std::uint64_t> lengths{0,         1,     c - 1,     c,    c + 1,
                                           2 * c - 1, 2 * c, 2 * c + 1, 5 * c};
  for (const std::uint64_t from : lengths) {
    for (const std::uint64_t to : lengths) {
      SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
      edited_array a(GetParam(), 60);
      a.resize(from);
      a.scribble();
      a.commit_and_check();
      a.resize(to);
      a.commit_and_check();
      // Superblock and map, the tree's one node, and not a block more than the elements need.
      EXPECT_EQ(a.transaction->used(),
                blocks_beside_the_array + 1 + base::ceil_div(to, a.capacity()));
    }
  }
}

TEST_P(array_editor_of_values, has_zeros_where_it_was_cut_and_grows_again) {
  edited_array a(GetParam());
  const std::uint64_t c = a.capacity();
  for (const auto& [from, to] : {std::pair{c, c - 1}, {3 * c, c + 5}, {c + 5, c}, {2 * c, 0 * c}}) {
    SCOPED_TRACE(std::to_string(from) + " to " + std::to_string(to));
    for (const bool commit_between : {false, true}) {
      a.resize(from);
      a.scribble();
      a.resize(to);
      if (commit_between) {
        a.commit_and_check();
      }
      a.resize(from);
      for (std::uint64_t i = to; i < from; ++i) {
        ASSERT_EQ(a.array->get(i), 0U);
      }
      a.commit_and_check();
    }
  }
}

TEST_P(array_editor_of_values, has_a_tree_of_more_than_one_level) {
  edited_array a(GetParam());
  const std::uint64_t elements_below_a_leaf = std::uint64_t{252} * a.capacity();
  a.resize(2 * elements_below_a_leaf + 100);
  a.set(0, 1);
  a.set(elements_below_a_leaf, 2);
  a.set(2 * elements_below_a_leaf + 99, 3);
  a.commit_and_check();
  a.resize(elements_below_a_leaf + 1);
  a.commit_and_check();
  a.resize(1);
  a.commit_and_check();
  EXPECT_EQ(a.array->get(0), 1U);
  EXPECT_EQ(a.transaction->used(), blocks_beside_the_array + 2);
}

TEST_P(array_editor_of_values, drops_stale_blocks_at_any_resize) {
  // What the kernel leaves over (doc/format.md 4): keys at and after the end, with gaps.
  for (const std::int64_t by : {-1, 0, 1, 3000}) {
    SCOPED_TRACE(by);
    const std::uint64_t c = pd::array_capacity(GetParam());
    edited_array a(GetParam(), 5 * c + 7, 2 * c);
    pd::test::set_key(a.device, a.array->where().root, 5, 9);
    a.reopen();
    a.set(0, 5);
    a.resize(2 * c + static_cast<std::uint64_t>(by));
    a.commit_and_check();
  }
}

TEST_P(array_editor_of_values, may_be_read_and_changed_beside_stale_blocks) {
  const std::uint64_t c = pd::array_capacity(GetParam());
  edited_array a(GetParam(), 3 * c + 7, 2 * c);
  a.expect_elements();
  a.set(2 * c - 1, 5);
  a.expect_elements();
  EXPECT_THROW(a.array->get(2 * c), std::out_of_range);
}

TEST_P(array_editor_of_values, leaves_nothing_when_it_is_destroyed) {
  const std::uint64_t c = pd::array_capacity(GetParam());
  for (const std::uint64_t nr_elements : {0 * c, 2 * c, 300 * c}) {
    edited_array a(GetParam(), 300 * c, nr_elements);
    a.array->destroy();
    pd::test::commit(*a.transaction);
    commit_check(a.device).finish();
    EXPECT_EQ(a.transaction->used(), blocks_beside_the_array);
  }
}

TEST_P(array_editor_of_values, shares_blocks_with_its_snapshots) {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    std::mt19937_64 random(seed);
    edited_array a(GetParam());
    a.resize(20 * a.capacity());
    a.scribble();
    for (int round = 0; round < 6; ++round) {
      const array_root snapshot = a.array->where();
      const elements kept = a.model;
      a.transaction->add_reference(snapshot.root);
      for (int i = 0; i < 8; ++i) {
        a.set(random() % a.model.size(), random());
      }
      a.resize(1 + random() % (25 * a.capacity()));
      const array_root present = a.array->where();
      pd::test::commit(*a.transaction, {present.root, snapshot.root});
      commit_check check(a.device);
      EXPECT_TRUE(check.array(present) == a.model);
      EXPECT_TRUE(check.array(snapshot) == kept);
      check.finish();
      // Now and then the snapshot takes the place of the array.
      array_editor other(*a.transaction, snapshot);
      if (random() % 2 == 0) {
        other.destroy();
      } else {
        a.array->destroy();
        a.array.emplace(other);
        a.model = kept;
      }
      a.commit_and_check();
    }
  }
}

TEST_P(array_editor_of_values, copies_one_block_of_a_snapshot_for_one_change) {
  edited_array a(GetParam());
  a.resize(100 * a.capacity());
  a.transaction->add_reference(a.array->where().root);
  pd::test::commit(*a.transaction);
  const block_nr used = a.transaction->used();
  a.set(5, 1);
  pd::test::commit(*a.transaction);
  EXPECT_EQ(a.transaction->used(), used + 2) << "the tree's node and the array block";
}

TEST_P(array_editor_of_values, has_no_elements_behind_its_end) {
  edited_array a(GetParam());
  EXPECT_THROW(a.array->get(0), std::out_of_range);
  a.resize(5);
  EXPECT_THROW(a.array->get(5), std::out_of_range);
  EXPECT_THROW(a.array->set(5, 1), std::out_of_range);
  a.commit_and_check();
}

TEST_P(array_editor_of_values, is_refused_without_one_of_its_blocks) {
  const std::uint64_t c = pd::array_capacity(GetParam());
  edited_array a(GetParam(), 5 * c, 7 * c);
  EXPECT_THROW(a.array->get(5 * c), base::data_error);
  EXPECT_THROW(a.array->set(6 * c, 1), base::data_error);
  a.reopen();
  EXPECT_THROW(a.array->resize(5 * c + 1), base::data_error);
  a.reopen();
  EXPECT_EQ(a.array->get(5 * c - 1), element_for(5 * c - 1, GetParam()));
}

TEST_P(array_editor_of_values, is_refused_with_a_block_of_another_shape) {
  const std::uint64_t c = pd::array_capacity(GetParam());
  struct {
    std::size_t at;
    std::uint32_t value;
  } const wrong[] = {{4, 100}, {8, 0}, {8, 6}, {8, 8}, {8, 5000}, {12, 12 - GetParam()}};
  for (const auto& field : wrong) {
    SCOPED_TRACE(std::to_string(field.value) + " at " + std::to_string(field.at));
    edited_array a(GetParam(), c + 7, c + 7);
    change_block(a.device, pd::array_block, child_of(a.device, a.array->where().root, 1),
                 [&](std::byte* block) { base::put_le32(block + field.at, field.value); });
    EXPECT_THROW(a.array->get(c), base::data_error);
    EXPECT_THROW(a.array->set(c, 1), base::data_error);
    a.reopen();
    EXPECT_THROW(a.array->resize(c + 1), base::data_error);
    a.reopen();
    EXPECT_THROW(a.array->resize(c + 10), base::data_error);
    a.reopen();
    EXPECT_EQ(a.array->get(c - 1), element_for(c - 1, GetParam()));
  }
}

// The last key of the tree lies where no search looks for it.
TEST_P(array_editor_of_values, is_refused_if_its_tree_has_keys_in_the_wrong_place) {
  const std::uint64_t c = pd::array_capacity(GetParam());
  edited_array a(GetParam(), 300 * c, 300 * c);
  pd::test::set_key(a.device, a.array->where().root, 1, 500);
  EXPECT_THROW(a.array->resize(0), base::data_error);
}

}  // namespace
