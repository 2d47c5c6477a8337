#include <gtest/gtest.h>

#include <optional>
#include <random>

#include "base/error.h"
#include "persistent-data/btree_editor.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/transaction_test_support.h"

namespace {

using pd::block_nr;
using pd::transaction_manager;
using pd::test::commit_check;
using pd::test::tree_contents;

constexpr std::uint32_t value_size = 12;

// A tree on a small device. The n-th transaction of it is the same every time.
class tree_in_transactions {
 public:
  explicit tree_in_transactions(pd::block_device& device)
      : transaction_(pd::test::open(device)), root_(pd::test::read_state(device).roots[0]) {}

  // The first commit.
  static void format(pd::block_device& device) {
    auto transaction = transaction_manager::format(device);
    pd::btree_editor tree(transaction, pd::plain_values(value_size));
    pd::test::commit(transaction, {tree.make_empty()});
  }

  void change(std::uint64_t n) {
    std::mt19937_64 random(n);
    pd::btree_editor tree(transaction_, pd::plain_values(value_size));
    for (int i = 0; i < 800; ++i) {
      const std::uint64_t key = random() % 2000;
      if (random() % 4 == 0) {
        tree.remove(root_, key);
      } else {
        tree.insert(root_, key, pd::test::value_for(random(), value_size).data());
      }
    }
    transaction_.drop_reference(snapshot_);
    snapshot_ = root_;
    transaction_.add_reference(root_);
  }

  void commit() { pd::test::commit(transaction_, {root_}); }

 private:
  transaction_manager transaction_;
  block_nr root_;
  block_nr snapshot_ = 0;
};

}  // namespace
