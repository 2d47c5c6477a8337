#include "persistent-data/faulty_device.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <set>

#include "base/error.h"
#include "persistent-data/memory_device.h"

namespace {

using pd::block_nr;

constexpr std::size_t sector = 512;
constexpr std::size_t sectors = pd::block_size / sector;

class faulty_device : public testing::Test {
 protected:
  void write(block_nr where, std::byte value) {
    pd::block_buffer block(1);
    std::memset(block.block(0), static_cast<int>(value), pd::block_size);
    const pd::write_request request{where, block.block(0)};
    device_.write({&request, 1});
  }

  // The value that fills all of a block as the device shows it.
  std::byte read(block_nr where) {
    pd::block_buffer block(1);
    pd::read_request request{where, block.block(0), 0};
    device_.read({&request, 1});
    EXPECT_EQ(request.error, 0);
    EXPECT_EQ(std::memcmp(block.block(0), block.block(0) + 1, pd::block_size - 1), 0);
    return block.block(0)[0];
  }

  pd::memory_device below_{100};
  pd::faulty_device device_{below_};
};

constexpr std::byte zero{0};
constexpr std::byte old_value{1};
constexpr std::byte new_value{2};

TEST_F(faulty_device, shows_what_was_written_and_keeps_it_from_the_device_until_flush) {
  write(5, new_value);
  EXPECT_EQ(read(5), new_value);
  EXPECT_EQ(below_.block(5)[0], zero);
  device_.flush();
  EXPECT_EQ(below_.block(5)[0], new_value);
  EXPECT_EQ(read(5), new_value);
  EXPECT_EQ(device_.nr_blocks(), 100U);
  EXPECT_EQ(device_.name(), below_.name());
}

TEST_F(faulty_device, fails_reads_of_single_blocks_only) {
  device_.fail_reads_of(3);
  pd::block_buffer blocks(3);
  pd::read_request batch[] = {
      {2, blocks.block(0), 0}, {3, blocks.block(1), 0}, {4, blocks.block(2), 0}};
  device_.read(batch);
  EXPECT_EQ(batch[0].error, 0);
  EXPECT_EQ(batch[1].error, EIO);
  EXPECT_EQ(batch[2].error, 0);
}

TEST_F(faulty_device, fails_one_read_or_all_after_so_many) {
  const auto errors_of_three_reads = [&] {
    pd::block_buffer blocks(3);
    pd::read_request batch[] = {
        {2, blocks.block(0), 0}, {3, blocks.block(1), 0}, {2, blocks.block(2), 0}};
    device_.read(batch);
    std::vector<int> errors;
    for (const pd::read_request& request : batch) {
      errors.push_back(request.error);
      EXPECT_EQ(*request.into == zero, request.error == 0) << "a failed read leaves the contents";
    }
    return errors;
  };
  using errors = std::vector<int>;
  EXPECT_EQ(errors_of_three_reads(), (errors{0, 0, 0}));
  EXPECT_EQ(device_.reads_seen(), 3U);
  device_.fail_read_after(1);
  EXPECT_EQ(errors_of_three_reads(), (errors{0, EIO, 0}));
  EXPECT_EQ(errors_of_three_reads(), (errors{0, 0, 0}));
  device_.fail_after_reads(2);
  EXPECT_EQ(errors_of_three_reads(), (errors{0, 0, EIO}));
  EXPECT_EQ(errors_of_three_reads(), (errors{EIO, EIO, EIO}));
  std::mt19937_64 random(1);
  device_.cut_power(random);
  EXPECT_EQ(errors_of_three_reads(), (errors{0, 0, 0}));
}

TEST_F(faulty_device, fails_writes_of_single_blocks) {
  device_.fail_writes_of(3);
  write(2, new_value);
  EXPECT_THROW(write(3, new_value), base::io_error);
  write(4, new_value);
  EXPECT_EQ(device_.writes_seen(), 2U);
}

TEST_F(faulty_device, fails_for_good_after_so_many_writes) {
  device_.fail_after_writes(2);
  write(1, new_value);
  write(2, new_value);
  EXPECT_THROW(write(3, new_value), base::io_error);
  EXPECT_THROW(device_.flush(), base::io_error);
  EXPECT_EQ(read(1), new_value);
}

TEST_F(faulty_device, tells_when_it_has_failed_for_good) {
  device_.fail_after_writes(1);
  write(1, new_value);
  EXPECT_FALSE(device_.has_failed()) << "the next write will fail, but there was none";
  EXPECT_THROW(write(2, new_value), base::io_error);
  EXPECT_TRUE(device_.has_failed());
  std::mt19937_64 random(1);
  device_.cut_power(random);
  EXPECT_FALSE(device_.has_failed());
  write(2, new_value);
  device_.flush();
  EXPECT_EQ(below_.block(2)[0], new_value);
}

TEST_F(faulty_device, has_failed_if_a_flush_did) {
  device_.fail_after_writes(0);
  EXPECT_THROW(device_.flush(), base::io_error);
  EXPECT_TRUE(device_.has_failed());
}

TEST_F(faulty_device, has_not_failed_for_good_if_a_single_block_did) {
  device_.fail_writes_of(3);
  EXPECT_THROW(write(3, new_value), base::io_error);
  EXPECT_FALSE(device_.has_failed());
}

TEST_F(faulty_device, passes_on_what_it_has_no_room_for) {
  device_.keep_at_most(3);
  const auto blocks_below = [&] {
    std::size_t count = 0;
    for (block_nr b = 0; b < 100; ++b) {
      count += below_.block(b)[0] == new_value;
    }
    return count;
  };
  for (block_nr b = 0; b < 10; ++b) {
    write(b, new_value);
    EXPECT_EQ(blocks_below(), (b + 1) / 4 * 4);
  }
  write(9, new_value);
  write(9, new_value);
  EXPECT_EQ(blocks_below(), 8U) << "a block written twice is kept once";
  for (block_nr b = 0; b < 10; ++b) {
    EXPECT_EQ(read(b), new_value);
  }
  EXPECT_EQ(device_.writes_seen(), 12U);
  device_.flush();
  EXPECT_EQ(blocks_below(), 10U);
}

TEST_F(faulty_device, loses_nothing_that_it_had_no_room_for) {
  device_.keep_at_most(0);
  write(5, new_value);
  std::mt19937_64 random(4);
  device_.cut_power(random);
  EXPECT_EQ(read(5), new_value);
}

TEST_F(faulty_device, loses_nothing_that_was_flushed_when_the_power_is_cut) {
  std::mt19937_64 random(1);
  for (block_nr b = 0; b < 100; ++b) {
    write(b, old_value);
  }
  device_.flush();
  device_.cut_power(random);
  for (block_nr b = 0; b < 100; ++b) {
    EXPECT_EQ(read(b), old_value);
  }
}

TEST_F(faulty_device, tears_what_was_not_flushed_between_sectors_only) {
  std::mt19937_64 random(2);
  for (block_nr b = 0; b < 100; ++b) {
    write(b, old_value);
  }
  device_.flush();
  for (block_nr b = 0; b < 50; ++b) {
    write(b, new_value);
  }
  device_.cut_power(random);

  std::size_t survived = 0;
  std::set<std::size_t> survivors_of_a_block;
  for (block_nr b = 0; b < 100; ++b) {
    std::size_t here = 0;
    for (std::size_t s = 0; s < sectors; ++s) {
      const std::byte* const from = below_.block(b) + s * sector;
      ASSERT_TRUE(from[0] == old_value || (b < 50 && from[0] == new_value));
      ASSERT_EQ(std::memcmp(from, from + 1, sector - 1), 0) << "torn within a sector";
      here += from[0] == new_value;
    }
    survived += here;
    if (b < 50) {
      survivors_of_a_block.insert(here);
    }
  }
  EXPECT_GT(survived, 50 * sectors / 4);
  EXPECT_LT(survived, 50 * sectors * 3 / 4);
  EXPECT_GT(survivors_of_a_block.size(), 3U);
}

TEST_F(faulty_device, forgets_what_the_power_cut_lost_and_works_on) {
  std::mt19937_64 random(3);
  write(5, new_value);
  device_.cut_power(random);
  pd::block_buffer block(1);
  pd::read_request request{5, block.block(0), 0};
  device_.read({&request, 1});
  EXPECT_EQ(std::memcmp(block.block(0), below_.block(5), pd::block_size), 0);
  write(5, old_value);
  device_.flush();
  EXPECT_EQ(below_.block(5)[pd::block_size - 1], old_value);
}

TEST_F(faulty_device, cuts_alike_for_the_same_seed) {
  pd::memory_device other_below(100);
  pd::faulty_device other(other_below);
  std::mt19937_64 first(7);
  std::mt19937_64 second(7);
  write(9, new_value);
  pd::block_buffer block(1);
  std::memset(block.block(0), static_cast<int>(new_value), pd::block_size);
  const pd::write_request request{9, block.block(0)};
  other.write({&request, 1});
  device_.cut_power(first);
  other.cut_power(second);
  EXPECT_EQ(std::memcmp(below_.block(9), other_below.block(9), pd::block_size), 0);
}

}  // namespace
