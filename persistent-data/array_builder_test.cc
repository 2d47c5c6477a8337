#include "persistent-data/array_builder.h"

#include <gtest/gtest.h>

#include "persistent-data/array_test_support.h"

namespace {

using pd::array_root;
using pd::block_nr;

TEST(array, capacity_is_as_the_format_says) {
  EXPECT_EQ(pd::array_capacity(4), 1018U);
  EXPECT_EQ(pd::array_capacity(8), 509U);
}

TEST(array, of_bits_has_a_word_for_each_64) {
  EXPECT_EQ(pd::bitset_root(3, 0).nr_elements, 0U);
  EXPECT_EQ(pd::bitset_root(3, 1).nr_elements, 1U);
  EXPECT_EQ(pd::bitset_root(3, 64).nr_elements, 1U);
  EXPECT_EQ(pd::bitset_root(3, 65).nr_elements, 2U);
  EXPECT_EQ(pd::bitset_root(3, 32576).nr_array_blocks(), 1U);
  EXPECT_EQ(pd::bitset_root(3, 32577).nr_array_blocks(), 2U);
  EXPECT_EQ(pd::bitset_root(3, 32577).entries(1), 1U);
}

// Each array block has the fields that its place demands.
void expect_blocks(const pd::memory_device& device, const array_root& array,
                   const pd::test::array_recorder& got) {
  ASSERT_EQ(got.refs.size(), array.nr_array_blocks());
  const std::uint64_t capacity = pd::array_capacity(array.value_size);
  for (std::size_t key = 0; key < got.refs.size(); ++key) {
    const std::byte* const block = device.block(got.refs[key].block);
    const bool last = key + 1 == got.refs.size();
    const std::uint64_t rest = array.nr_elements - key * capacity;
    EXPECT_EQ(got.refs[key].key, key);
    EXPECT_EQ(base::get_le32(block + 4), capacity);
    EXPECT_EQ(base::get_le32(block + 8), last ? rest : capacity);
    EXPECT_EQ(base::get_le32(block + 12), array.value_size);
    EXPECT_EQ(base::get_le64(block + 16), got.refs[key].block);
  }
}

TEST(array_builder, makes_sound_arrays_of_all_lengths) {
  for (const std::uint32_t value_size : {4U, 8U}) {
    const std::uint64_t capacity = pd::array_capacity(value_size);
    std::vector<std::uint64_t> lengths = {0, 1, 2};
    for (const std::uint64_t blocks : {1, 2, 3, 84, 252, 253, 504, 505}) {
      for (const std::uint64_t n :
           {blocks * capacity - 1, blocks * capacity, blocks * capacity + 1}) {
        lengths.push_back(n);
      }
    }
    for (const std::uint64_t n : lengths) {
      SCOPED_TRACE(std::to_string(n) + " values of " + std::to_string(value_size));
      pd::memory_device device(n / capacity + 10);
      pd::bulk_writer writer(device, 1, nullptr);
      const array_root array = pd::test::build_array(writer, value_size, n);
      writer.flush();
      const auto got = pd::test::read_array(device, array);
      EXPECT_TRUE(got.found.empty()) << pd::test::text_of(got.found);
      pd::test::expect_elements(got, array);
      expect_blocks(device, array, got);
    }
  }
}

TEST(array_builder, leaves_elements_that_were_never_put_zero) {
  pd::memory_device device(20);
  pd::bulk_writer writer(device, 1, nullptr);
  array_root array(pd::no_block, {4, 6 * 1018});
  pd::array_builder builder(writer, array);
  pd::test::put_element(builder.values_of(1), 5, 4, 77);
  pd::test::put_element(builder.values_of(4), 6, 4, 88);
  array.root = builder.finish();
  writer.flush();
  const auto elements = pd::test::read_array(device, array).elements[0];
  ASSERT_EQ(elements.size(), array.nr_elements);
  for (std::uint64_t i = 0; i < elements.size(); ++i) {
    EXPECT_EQ(elements[i], i == 1018 + 5 ? 77U : i == 4 * 1018 + 6 ? 88U : 0U) << i;
  }
}

TEST(array_builder, says_which_blocks_it_has_written) {
  pd::memory_device device(20);
  pd::bulk_writer writer(device, 1, nullptr);
  pd::array_builder builder(writer, {8, 5 * 509});
  EXPECT_TRUE(builder.written().empty());
  builder.values_of(0);
  builder.values_of(3);
  EXPECT_EQ(builder.written(), (std::vector<std::uint32_t>{1, 2, 3}));
  builder.finish();
  EXPECT_EQ(builder.written(), (std::vector<std::uint32_t>{1, 2, 3, 4, 5}));
}

}  // namespace
