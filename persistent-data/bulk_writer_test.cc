#include "persistent-data/bulk_writer.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "persistent-data/block_reader.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/metadata_test_support.h"

namespace {

using pd::block_nr;

// A block whose contents say `n`.
pd::block_buffer block_with(std::uint64_t n) {
  pd::block_buffer block(1);
  base::put_le64(block.block(0) + 100, n);
  return block;
}

block_nr append(pd::bulk_writer& writer, std::uint64_t n) {
  return writer.append(pd::node_block, block_with(n).block(0));
}

bool holds(const std::byte* block, block_nr where, std::uint64_t n) {
  return !pd::check_head(pd::node_block, where, block) && base::get_le64(block + 100) == n;
}

TEST(bulk_writer, numbers_blocks_upwards_and_seals_them) {
  pd::memory_device device(20);
  pd::bulk_writer writer(device, 3, nullptr);
  for (std::uint64_t n = 0; n < 10; ++n) {
    EXPECT_EQ(writer.next(), 3 + n);
    EXPECT_EQ(append(writer, n), 3 + n);
  }
  writer.flush();
  for (std::uint64_t n = 0; n < 10; ++n) {
    EXPECT_TRUE(holds(device.block(3 + n), 3 + n, n));
  }
}

TEST(bulk_writer, does_not_change_the_block_it_is_given) {
  pd::memory_device device(20);
  pd::bulk_writer writer(device, 1, nullptr);
  const pd::block_buffer block = block_with(5);
  writer.append(pd::node_block, block.block(0));
  EXPECT_EQ(base::get_le32(block.block(0)), 0U);
}

TEST(bulk_writer, writes_nothing_before_flush_as_long_as_all_fits_a_batch) {
  pd::memory_device device(5000);
  pd::faulty_device watched(device);
  pd::bulk_writer writer(watched, 1, nullptr);
  for (std::uint64_t n = 0; n < 4096; ++n) {
    append(writer, n);
  }
  EXPECT_EQ(watched.writes_seen(), 0U);
  append(writer, 4096);
  EXPECT_EQ(watched.writes_seen(), 4096U);
  writer.flush();
  EXPECT_EQ(watched.writes_seen(), 4097U);
  for (std::uint64_t n = 0; n < 4097; ++n) {
    ASSERT_TRUE(holds(device.block(1 + n), 1 + n, n));
  }
}

TEST(bulk_writer, calls_once_before_the_first_write) {
  pd::memory_device device(9000);
  pd::faulty_device watched(device);
  int calls = 0;
  pd::bulk_writer writer(watched, 1, [&] {
    ++calls;
    EXPECT_EQ(watched.writes_seen(), 0U);
  });
  for (std::uint64_t n = 0; n < 4096; ++n) {
    append(writer, n);
  }
  EXPECT_EQ(calls, 0);
  for (std::uint64_t n = 0; n < 4800; ++n) {
    append(writer, n);
  }
  EXPECT_EQ(calls, 1);
  writer.flush();
  EXPECT_EQ(calls, 1);
}

TEST(bulk_writer, writes_nothing_if_what_comes_before_fails) {
  pd::memory_device device(10);
  pd::faulty_device watched(device);
  pd::bulk_writer writer(watched, 1, [] { throw base::io_error("no"); });
  append(writer, 1);
  EXPECT_THROW(writer.flush(), base::io_error);
  EXPECT_EQ(watched.writes_seen(), 0U);
}

TEST(bulk_writer, reads_back_and_rewrites_blocks_wherever_they_are) {
  pd::memory_device device(5000);
  pd::bulk_writer writer(device, 1, nullptr);
  for (std::uint64_t n = 0; n < 4500; ++n) {
    append(writer, n);
  }
  // The first ones are on the device, the last still in memory.
  for (const block_nr where : {1, 17, 4096, 4097, 4500}) {
    pd::block_buffer block(1);
    writer.read_back(pd::node_block, where, block.block(0));
    EXPECT_TRUE(holds(block.block(0), where, where - 1));
    base::put_le64(block.block(0) + 100, 7 * where);
    writer.rewrite(pd::node_block, where, block.block(0));
    writer.read_back(pd::node_block, where, block.block(0));
    EXPECT_TRUE(holds(block.block(0), where, 7 * where));
  }
  writer.flush();
  for (const block_nr where : {1, 17, 4096, 4097, 4500}) {
    EXPECT_TRUE(holds(device.block(where), where, 7 * where));
  }
  EXPECT_TRUE(holds(device.block(18), 18, 17));
}

TEST(bulk_writer, notices_a_device_that_gives_back_something_else) {
  pd::memory_device device(20);
  pd::bulk_writer writer(device, 1, nullptr);
  append(writer, 1);
  writer.flush();
  pd::test::spoil(device, 1);
  pd::block_buffer block(1);
  EXPECT_THROW(writer.read_back(pd::node_block, 1, block.block(0)), base::io_error);
}

TEST(bulk_writer, passes_on_that_a_block_cannot_be_read_back) {
  pd::memory_device device(20);
  pd::faulty_device faulty(device);
  pd::bulk_writer writer(faulty, 1, nullptr);
  append(writer, 1);
  writer.flush();
  faulty.fail_reads_of(1);
  pd::block_buffer block(1);
  EXPECT_THROW(writer.read_back(pd::node_block, 1, block.block(0)), base::io_error);
}

TEST(bulk_writer, refuses_more_than_the_device_holds_and_writes_nothing) {
  pd::memory_device device(20);
  pd::faulty_device watched(device);
  pd::bulk_writer writer(watched, 1, nullptr);
  for (std::uint64_t n = 0; n < 19; ++n) {
    append(writer, n);
  }
  EXPECT_THROW(append(writer, 19), base::io_error);
  EXPECT_EQ(watched.writes_seen(), 0U);
}

TEST(bulk_writer, passes_on_that_the_device_fails) {
  pd::memory_device device(20);
  pd::faulty_device faulty(device);
  faulty.fail_writes_of(3);
  pd::bulk_writer writer(faulty, 1, nullptr);
  for (std::uint64_t n = 0; n < 5; ++n) {
    append(writer, n);
  }
  EXPECT_THROW(writer.flush(), base::io_error);
}

TEST(bulk_writer, flushes_the_device) {
  pd::memory_device device(20);
  pd::faulty_device faulty(device);
  pd::bulk_writer writer(faulty, 1, nullptr);
  append(writer, 1);
  writer.flush();
  EXPECT_TRUE(holds(device.block(1), 1, 1));  // faulty_device passes nothing on before
}

}  // namespace
