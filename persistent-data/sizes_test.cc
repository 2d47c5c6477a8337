// Holds what sizes.h promises against what the builders append.
#include "persistent-data/sizes.h"

#include <gtest/gtest.h>

#include <vector>

#include "base/error.h"
#include "persistent-data/array_builder.h"
#include "persistent-data/btree_node.h"
#include "persistent-data/memory_device.h"
#include "persistent-data/space_map.h"
#include "persistent-data/space_map_builder.h"

namespace {

using pd::block_nr;

block_nr nodes_built(std::uint64_t nr_values, std::uint32_t value_size) {
  block_nr nodes = 0;
  pd::btree_builder tree([&](const std::byte*) { return ++nodes; }, value_size);
  const std::vector<std::byte> value(value_size);
  for (std::uint64_t key = 0; key < nr_values; ++key) {
    tree.add(key, value.data());
  }
  tree.finish();
  return nodes;
}

TEST(tree_blocks, is_what_the_builder_makes) {
  for (const std::uint32_t value_size : {4U, 8U, 12U}) {
    const std::uint64_t leaf = pd::node_capacity(value_size);
    const std::uint64_t inner = pd::node_capacity(pd::block_nr_size);
    for (const std::uint64_t full : {std::uint64_t{0}, std::uint64_t{1}, leaf, 2 * leaf, 3 * leaf,
                                     inner * leaf, 2 * inner * leaf}) {
      for (const std::uint64_t n : {full - (full > 0 ? 1 : 0), full, full + 1}) {
        EXPECT_EQ(pd::tree_blocks(n, value_size), nodes_built(n, value_size))
            << n << " values of " << value_size;
      }
    }
  }
}

block_nr array_built(std::uint64_t nr_elements, std::uint32_t value_size) {
  pd::memory_device device(600);
  pd::bulk_writer writer(device, 1, nullptr);
  pd::array_root shape;
  shape.value_size = value_size;
  shape.nr_elements = nr_elements;
  pd::array_builder(writer, shape).finish();
  return writer.next() - 1;
}

TEST(array_blocks, is_what_the_builder_makes) {
  for (const std::uint32_t value_size : {4U, 8U}) {
    const std::uint64_t capacity = pd::array_capacity(value_size);
    for (const std::uint64_t blocks : {0U, 1U, 2U, 252U, 253U, 505U}) {
      for (const std::uint64_t n :
           {blocks * capacity - (blocks > 0 ? 1 : 0), blocks * capacity, blocks * capacity + 1}) {
        EXPECT_EQ(pd::array_blocks(n, value_size), array_built(n, value_size))
            << n << " values of " << value_size;
      }
    }
  }
}

TEST(bitset_blocks, is_that_of_the_words) {
  EXPECT_EQ(pd::bitset_blocks(0), 1U);
  EXPECT_EQ(pd::bitset_blocks(1), 2U);
  EXPECT_EQ(pd::bitset_blocks(32576), 2U);
  EXPECT_EQ(pd::bitset_blocks(32577), 3U);
  EXPECT_EQ(pd::bitset_blocks(32577), pd::array_blocks(510, 8));
}

// Where the writer stands after `used` blocks and a space map, on a device of that size.
block_nr end_of_map(block_nr size, block_nr used) {
  pd::memory_device device(size);
  pd::bulk_writer writer(device, 1, nullptr);
  const pd::block_buffer nothing(1);
  while (writer.next() < used) {
    writer.append(pd::node_block, nothing.block(0));
  }
  pd::write_space_map(writer, std::vector<std::uint32_t>(used, 1));
  return writer.next();
}

TEST(device_blocks, is_the_smallest_device_on_which_the_map_has_room) {
  for (const block_nr used : {1U, 2U, 100U, 16315U, 16316U, 16317U, 16318U, 16319U, 16320U}) {
    SCOPED_TRACE(used);
    const block_nr size = pd::device_blocks(used);
    EXPECT_LE(end_of_map(size, used), size);
    EXPECT_THROW(end_of_map(size - 1, used), base::io_error);
  }
}

// One bitmap covers 16320 blocks; where one more is needed, it takes a block itself.
TEST(device_blocks, counts_bitmaps_for_the_bitmaps) {
  EXPECT_EQ(pd::device_blocks(16317), 16320U);
  EXPECT_EQ(pd::device_blocks(16318), 16322U);
  EXPECT_EQ(pd::device_blocks(32636), 32640U);
  EXPECT_EQ(pd::device_blocks(32637), 32642U);
  EXPECT_EQ(pd::device_blocks(pd::max_metadata_blocks - 257), pd::max_metadata_blocks);
  EXPECT_GT(pd::device_blocks(pd::max_metadata_blocks - 256), pd::max_metadata_blocks);
}

TEST(sizes, do_not_wrap_around) {
  EXPECT_EQ(pd::device_blocks(UINT64_MAX), UINT64_MAX);
  EXPECT_EQ(pd::device_blocks(UINT64_MAX - 2), UINT64_MAX);
  EXPECT_EQ(pd::device_blocks(UINT64_MAX - UINT64_MAX / 16321), UINT64_MAX);
  EXPECT_GT(pd::device_blocks(UINT64_MAX / 2), UINT64_MAX / 2);
  EXPECT_GT(pd::tree_blocks(UINT64_MAX, 4), UINT64_MAX / 400);
  EXPECT_GT(pd::array_blocks(UINT64_MAX, 8), UINT64_MAX / 509);
}

}  // namespace
