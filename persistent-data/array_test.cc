#include "persistent-data/array.h"

#include <gtest/gtest.h>

#include <random>

#include "persistent-data/array_test_support.h"
#include "persistent-data/faulty_device.h"

namespace {

using pd::array_root;
using pd::block_nr;
using pd::damage_kind;
using pd::test::change_block;
using pd::test::child_of;
using pd::test::read_array;
using pd::test::set_child;
using pd::test::set_key;
using pd::test::text_of;

constexpr std::uint64_t capacity = 1018;

// An array of eras in `blocks` array blocks, the last one short.
class built_array {
 public:
  explicit built_array(std::uint64_t blocks, std::uint32_t value_size = 4) : device(blocks + 20) {
    pd::bulk_writer writer(device, 1, nullptr);
    root = pd::test::build_array(writer, value_size,
                                 (blocks - 1) * pd::array_capacity(value_size) + 100);
    free = writer.next();
    writer.flush();
  }

  // The array block with this key; for arrays whose tree is one leaf.
  block_nr block(std::uint32_t key) const { return child_of(device, root.root, key); }

  void expect_loss(damage_kind kind, block_nr where, std::uint64_t first, std::uint64_t end) {
    const auto got = read_array(device, root);
    ASSERT_EQ(got.found.size(), 1U) << text_of(got.found);
    EXPECT_EQ(got.found[0].kind, kind) << text_of(got.found);
    EXPECT_EQ(got.found[0].block, where) << text_of(got.found);
    EXPECT_EQ(got.found[0].first_lost, first) << text_of(got.found);
    EXPECT_EQ(got.found[0].end_lost, end) << text_of(got.found);
    pd::test::expect_elements(got, root);
  }

  // Takes the last `count` entries out of the only leaf of the tree.
  void drop_last_keys(std::uint32_t count) {
    change_block(device, pd::node_block, root.root, [&](std::byte* block) {
      pd::put_nr_entries(block, pd::node_view(block).nr_entries() - count);
    });
  }

  pd::memory_device device;
  array_root root;
  block_nr free = 0;
};

TEST(array, loses_the_elements_of_a_block_with_a_bad_head) {
  for (std::uint32_t key = 0; key < 5; ++key) {
    built_array a(5);
    const std::uint64_t end = key == 4 ? 4 * capacity + 100 : (key + 1) * capacity;
    pd::test::spoil(a.device, a.block(key));
    a.expect_loss(damage_kind::block_checksum, a.block(key), key * capacity, end);
    pd::test::spoil(a.device, a.block(key));
    pd::seal_block(pd::array_block, 1, a.device.block(a.block(key)));
    if (a.block(key) != 1) {
      a.expect_loss(damage_kind::block_number, a.block(key), key * capacity, end);
    }
  }
}

TEST(array, loses_the_elements_of_a_block_that_cannot_be_read) {
  built_array a(5);
  pd::faulty_device faulty(a.device);
  faulty.fail_reads_of(a.block(2));
  const auto got = read_array(faulty, a.root);
  ASSERT_EQ(got.found.size(), 1U);
  EXPECT_EQ(got.found[0].kind, damage_kind::block_unreadable);
  pd::test::expect_elements(got, a.root);
}

TEST(array, finds_blocks_of_another_shape) {
  struct {
    std::size_t at;
    std::uint32_t value;
  } const wrong[] = {{4, 1017}, {4, 509}, {4, 0}, {12, 8}, {12, 0}};
  for (const auto& field : wrong) {
    built_array a(5);
    change_block(a.device, pd::array_block, a.block(1),
                 [&](std::byte* block) { base::put_le32(block + field.at, field.value); });
    a.expect_loss(damage_kind::array_block_header, a.block(1), capacity, 2 * capacity);
  }
}

TEST(array, finds_blocks_with_too_few_or_too_many_entries) {
  const auto set_entries = [](built_array& a, std::uint32_t key, std::uint32_t entries) {
    change_block(a.device, pd::array_block, a.block(key),
                 [&](std::byte* block) { base::put_le32(block + 8, entries); });
  };
  for (const std::uint32_t entries : {0U, 1017U, 1019U, UINT32_MAX}) {
    built_array a(5);
    set_entries(a, 2, entries);
    a.expect_loss(damage_kind::array_block_entries, a.block(2), 2 * capacity, 3 * capacity);
  }
  for (const std::uint32_t entries : {0U, 99U, 101U, 1018U}) {
    built_array a(5);
    set_entries(a, 4, entries);
    a.expect_loss(damage_kind::array_block_entries, a.block(4), 4 * capacity, 4 * capacity + 100);
  }
}

TEST(array, finds_missing_blocks_at_the_end) {
  built_array a(5);
  a.drop_last_keys(2);
  a.expect_loss(damage_kind::array_block_missing, a.root.root, 3 * capacity, 4 * capacity + 100);
}

TEST(array, finds_missing_blocks_at_the_beginning_and_between) {
  built_array a(5);
  for (std::uint32_t i = 5; i-- > 0;) {
    set_key(a.device, a.root.root, i, i < 2 ? i + 1 : i + 3);
  }
  a.root.nr_elements = 7 * capacity + 100;  // keys 1, 2, 5, 6, 7 of 0 to 7
  const auto got = read_array(a.device, a.root);
  ASSERT_EQ(got.found.size(), 2U) << text_of(got.found);
  for (const auto& d : got.found) {
    EXPECT_EQ(d.kind, damage_kind::array_block_missing);
    EXPECT_EQ(d.block, a.root.root);
  }
  EXPECT_EQ(got.found[0].first_lost, 0U);
  EXPECT_EQ(got.found[0].end_lost, capacity);
  EXPECT_EQ(got.found[1].first_lost, 3 * capacity);
  EXPECT_EQ(got.found[1].end_lost, 5 * capacity);
  EXPECT_EQ(got.refs.size(), 5U);
}

TEST(array, loses_all_elements_with_an_empty_tree) {
  built_array a(5);
  a.drop_last_keys(5);
  a.expect_loss(damage_kind::array_block_missing, a.root.root, 0, 4 * capacity + 100);
}

TEST(array, remarks_on_each_stale_block_and_ignores_it) {
  built_array a(5);
  a.root.nr_elements = 3 * capacity;
  set_key(a.device, a.root.root, 4, 9);  // the kernel can leave gaps among them
  const auto got = read_array(a.device, a.root);
  ASSERT_EQ(got.found.size(), 2U) << text_of(got.found);
  for (std::size_t i = 0; i < 2; ++i) {
    EXPECT_EQ(got.found[i].kind, damage_kind::array_block_stale);
    EXPECT_FALSE(pd::test::loses(got.found[i]));
    EXPECT_EQ(got.found[i].block, a.block(static_cast<std::uint32_t>(3 + i)));
  }
  EXPECT_EQ(got.refs.size(), 3U);
  pd::test::expect_elements(got, a.root);
}

TEST(array, of_no_elements_may_have_stale_blocks) {
  built_array a(2);
  a.root.nr_elements = 0;
  const auto got = read_array(a.device, a.root);
  EXPECT_EQ(got.found.size(), 2U);
  EXPECT_TRUE(got.losses().empty());
  EXPECT_TRUE(got.refs.empty());
}

TEST(array, counts_the_references_of_stale_blocks) {
  built_array a(5);
  a.root.nr_elements = 3 * capacity;
  pd::block_reader reader(a.device);
  pd::reference_counts counts(reader.usable());
  pd::walk_context context(reader);
  context.counts = &counts;
  pd::test::array_recorder got;
  got.read(context, {&a.root, 1});
  for (std::uint32_t key = 0; key < 5; ++key) {
    EXPECT_EQ(counts[a.block(key)], 1U);
  }
}

TEST(array, finds_a_block_that_has_two_places) {
  built_array a(5);
  set_child(a.device, a.root.root, 3, a.block(1));
  a.expect_loss(damage_kind::block_seen_twice, a.block(1), 3 * capacity, 4 * capacity);
  set_child(a.device, a.root.root, 3, a.root.root);
  a.expect_loss(damage_kind::block_seen_twice, a.root.root, 3 * capacity, 4 * capacity);
}

TEST(array, tells_of_many_places_of_one_block_at_once) {
  built_array a(5);
  for (const std::uint32_t key : {2U, 3U, 4U}) {
    set_child(a.device, a.root.root, key, a.block(1));
  }
  a.expect_loss(damage_kind::block_seen_twice, a.block(1), 2 * capacity, a.root.nr_elements);
}

TEST(array, finds_places_that_name_no_block) {
  for (const block_nr wrong : {block_nr{0}, block_nr{25}, block_nr{1} << 32, UINT64_MAX}) {
    built_array a(5);
    ASSERT_EQ(a.device.nr_blocks(), 25U);
    set_child(a.device, a.root.root, 0, wrong);
    a.expect_loss(damage_kind::block_out_of_range, wrong, 0, capacity);
  }
}

TEST(array, loses_the_elements_below_a_bad_index_node) {
  built_array a(600);  // leaves of 252, 174 and 174
  const auto leaf = [&](std::uint32_t i) { return child_of(a.device, a.root.root, i); };
  pd::test::spoil(a.device, leaf(1));
  a.expect_loss(damage_kind::block_checksum, leaf(1), 252 * capacity, 426 * capacity);
  pd::test::spoil(a.device, leaf(1));
  pd::test::spoil(a.device, leaf(2));
  a.expect_loss(damage_kind::block_checksum, leaf(2), 426 * capacity, 599 * capacity + 100);
  pd::test::spoil(a.device, leaf(2));
  pd::test::spoil(a.device, a.root.root);
  a.expect_loss(damage_kind::block_checksum, a.root.root, 0, 599 * capacity + 100);
}

TEST(array, loses_nothing_by_a_bad_index_node_of_stale_blocks) {
  built_array a(600);
  a.root.nr_elements = 252 * capacity;
  const block_nr leaf = child_of(a.device, a.root.root, 2);
  pd::test::spoil(a.device, leaf);
  const auto got = read_array(a.device, a.root);
  EXPECT_TRUE(got.losses().empty());
  EXPECT_EQ(std::count_if(got.found.begin(), got.found.end(),
                          [&](const pd::damage& d) { return d.block == leaf; }),
            1);
  pd::test::expect_elements(got, a.root);
}

TEST(array, is_read_together_with_others) {
  pd::memory_device device(3000);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<array_root> arrays;
  for (std::uint64_t n = 0; n < 700; ++n) {
    arrays.push_back(pd::test::build_array(writer, 8, n % 7 == 0 ? 0 : n));
  }
  writer.flush();
  arrays[300].root = 0;
  pd::block_reader reader(device);
  pd::walk_context context(reader);
  pd::test::array_recorder got;
  got.read(context, arrays);
  EXPECT_EQ(got.begun.size(), arrays.size());
  ASSERT_EQ(got.found.size(), 1U);
  EXPECT_EQ(got.found[0].end_lost, arrays[300].nr_elements);
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const auto& elements = got.elements[i];
    ASSERT_EQ(elements.size(), i == 300 ? 0 : arrays[i].nr_elements) << i;
    for (std::uint64_t place = 0; place < elements.size(); ++place) {
      ASSERT_EQ(elements[place], pd::test::element_for(place, 8));
    }
  }
}

TEST(array_block_reader, hands_blocks_over_in_the_order_asked_for) {
  built_array a(2500);
  pd::block_reader reader(a.device);
  pd::walk_context context(reader);
  pd::test::array_recorder index;
  index.read(context, {&a.root, 1});
  std::vector<pd::array_block_request> requests;
  for (const auto& ref : index.refs) {
    requests.push_back({ref, a.root.entries(ref.key), 4, 0});
  }
  std::mt19937_64 random(3);
  std::shuffle(requests.begin(), requests.end(), random);
  pd::test::array_recorder got;
  pd::array_block_reader(reader).read(requests, got);
  ASSERT_EQ(got.order.size(), requests.size());
  for (std::size_t i = 0; i < requests.size(); ++i) {
    ASSERT_EQ(got.order[i], requests[i].ref.key);
  }
  pd::test::expect_elements(got, a.root);
}

TEST(array, loses_exactly_what_random_damage_covers) {
  std::mt19937_64 random(4);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    built_array a(1 + random() % 700, round % 2 == 0 ? 4 : 8);
    for (int i = 0; i < 6; ++i) {
      const block_nr where = 1 + random() % (a.free - 1);
      if (where != a.root.root || random() % 8 == 0) {
        a.device.block(where)[random() % pd::block_size] ^= std::byte{4};
      }
    }
    const auto got = read_array(a.device, a.root);
    EXPECT_FALSE(got.found.empty());
    pd::test::expect_elements(got, a.root);
  }
}

}  // namespace
