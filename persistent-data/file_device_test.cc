#include "persistent-data/file_device.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <random>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using pd::block_nr;
using sharing = pd::file_device::sharing;

constexpr block_nr nr_blocks = 3000;

// A file of blocks, each filled with its number.
class file_device : public testing::Test {
 protected:
  file_device() {
    std::string bytes(nr_blocks * pd::block_size, '\0');
    for (block_nr b = 0; b < nr_blocks; ++b) {
      for (std::size_t at = 0; at < pd::block_size; at += 8) {
        base::put_le64(reinterpret_cast<std::byte*>(bytes.data()) + b * pd::block_size + at, b);
      }
    }
    base::test::write_file(path_, bytes);
  }

  // The numbers that a batch of reads brings, UINT64_MAX for those that fail.
  static std::vector<block_nr> read(pd::block_device& device, const std::vector<block_nr>& wanted) {
    pd::block_buffer buffer(wanted.size());
    std::vector<pd::read_request> batch;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      batch.push_back({wanted[i], buffer.block(i), 99});
    }
    device.read(batch);
    std::vector<block_nr> got;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      const std::byte* const block = buffer.block(i);
      EXPECT_TRUE(batch[i].error != 0 || std::memcmp(block, block + 8, pd::block_size - 8) == 0);
      got.push_back(batch[i].error != 0 ? UINT64_MAX : base::get_le64(block));
    }
    return got;
  }

  // Writes `add + number` to each block of a batch.
  static void write(pd::block_device& device, const std::vector<block_nr>& wanted, block_nr add) {
    pd::block_buffer buffer(wanted.size());
    std::vector<pd::write_request> batch;
    for (std::size_t i = 0; i < wanted.size(); ++i) {
      for (std::size_t at = 0; at < pd::block_size; at += 8) {
        base::put_le64(buffer.block(i) + at, wanted[i] + add);
      }
      batch.push_back({wanted[i], buffer.block(i)});
    }
    device.write(batch);
  }

  base::test::temporary_folder folder_;
  std::string path_ = folder_ / "metadata";
};

TEST_F(file_device, knows_its_size_and_name) {
  const auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  EXPECT_EQ(device.nr_blocks(), nr_blocks);
  EXPECT_EQ(device.size_in_bytes(), nr_blocks * pd::block_size);
  EXPECT_EQ(device.name(), path_);
}

TEST_F(file_device, reads_single_blocks_and_empty_batches) {
  auto device = pd::file_device::open_for_reading(path_, sharing::shared);
  EXPECT_EQ(read(device, {}), std::vector<block_nr>{});
  for (const block_nr b : {block_nr{0}, block_nr{7}, nr_blocks - 1}) {
    EXPECT_EQ(read(device, {b}), std::vector<block_nr>{b});
  }
}

TEST_F(file_device, reads_batches_in_any_order) {
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  std::mt19937_64 random(1);
  for (const std::size_t size : {2, 63, 64, 65, 500, 2000}) {
    std::vector<block_nr> wanted;
    for (std::size_t i = 0; i < size; ++i) {
      wanted.push_back(random() % nr_blocks);
    }
    EXPECT_EQ(read(device, wanted), wanted);
  }
}

TEST_F(file_device, reads_the_same_block_twice_in_a_batch) {
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  const std::vector<block_nr> wanted = {5, 6, 5, 5, 7, 6};
  EXPECT_EQ(read(device, wanted), wanted);
}

TEST_F(file_device, keeps_more_requests_than_its_queue_is_deep_apart) {
  // What is open for writing is not read by way of the page cache.
  auto device = pd::file_device::open_for_writing(path_);
  std::mt19937_64 random(2);
  for (int round = 0; round < 10; ++round) {
    std::vector<block_nr> wanted;
    for (block_nr b = 0; b < nr_blocks; b += 7) {  // no two are read as one
      wanted.push_back(b);
    }
    std::shuffle(wanted.begin(), wanted.end(), random);
    EXPECT_EQ(read(device, wanted), wanted);
  }
}

TEST_F(file_device, reads_what_the_page_cache_has_only_in_part) {
  const base::file_handle file(::open(path_.c_str(), O_RDWR | O_CLOEXEC));
  std::mt19937_64 random(3);
  for (int round = 0; round < 20; ++round) {
    ASSERT_EQ(::fsync(file.fd()), 0);
    ASSERT_EQ(::posix_fadvise(file.fd(), 0, 0, POSIX_FADV_DONTNEED), 0);
    for (int i = 0; i < round; ++i) {
      char byte = 0;
      ASSERT_EQ(
          ::pread(file.fd(), &byte, 1, static_cast<off_t>(random() % nr_blocks * pd::block_size)),
          1);
    }
    auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
    for (const std::size_t size : {3, 70, 1000}) {
      std::vector<block_nr> wanted;
      for (std::size_t i = 0; i < size; ++i) {
        wanted.push_back(random() % nr_blocks);
      }
      EXPECT_EQ(read(device, wanted), wanted);
    }
  }
}

TEST_F(file_device, reads_long_runs_of_neighbours) {
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  std::vector<block_nr> wanted;
  for (block_nr b = 0; b < nr_blocks; ++b) {
    wanted.push_back(nr_blocks - 1 - b);
  }
  EXPECT_EQ(read(device, wanted), wanted);
}

TEST_F(file_device, writes_batches_in_any_order) {
  std::vector<block_nr> expected;
  for (block_nr b = 0; b < nr_blocks; ++b) {
    expected.push_back(b);
  }
  const std::vector<block_nr> all = expected;
  auto device = pd::file_device::open_for_writing(path_);
  std::mt19937_64 random(3);
  for (const std::size_t size : {0, 1, 2, 65, 300, 1500, 3000}) {
    std::vector<block_nr> wanted = all;
    std::shuffle(wanted.begin(), wanted.end(), random);
    wanted.resize(size);
    write(device, wanted, 10000 * size);
    for (const block_nr b : wanted) {
      expected[b] = b + 10000 * size;
    }
    EXPECT_EQ(read(device, all), expected);
  }
  device.flush();
  auto again = pd::file_device::open_for_reading(path_, sharing::shared);
  EXPECT_EQ(read(again, all), expected);
}

TEST_F(file_device, reports_blocks_that_a_file_has_lost_since) {
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  ASSERT_EQ(::truncate(path_.c_str(), 100 * pd::block_size), 0);
  // One request of neighbours across the end, and some alone on either side.
  EXPECT_EQ(read(device, {98, 99, 100, 101, 50, 200}),
            (std::vector<block_nr>{98, 99, UINT64_MAX, UINT64_MAX, 50, UINT64_MAX}));
  EXPECT_EQ(read(device, {100}), std::vector<block_nr>{UINT64_MAX});
  EXPECT_EQ(read(device, {99}), std::vector<block_nr>{99});
}

TEST_F(file_device, ignores_a_partial_block_at_the_end) {
  ASSERT_EQ(::truncate(path_.c_str(), 100 * pd::block_size + 4095), 0);
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  EXPECT_EQ(device.nr_blocks(), 100U);
  EXPECT_EQ(device.size_in_bytes(), 100 * pd::block_size + 4095);
  EXPECT_EQ(read(device, {99}), std::vector<block_nr>{99});
}

TEST_F(file_device, gives_the_first_bytes_of_files_of_any_size) {
  for (const std::size_t size : {0, 1, 10, 4095, 4096, 5000}) {
    base::test::write_file(path_, std::string(size, 'x'));
    auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
    EXPECT_EQ(device.nr_blocks(), size / pd::block_size);
    EXPECT_EQ(device.first_bytes(), std::string(std::min<std::size_t>(size, 4096), 'x'));
  }
}

TEST_F(file_device, works_on_after_it_was_moved) {
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  pd::file_device moved(std::move(device));
  EXPECT_EQ(read(moved, {1, 5, 9}), (std::vector<block_nr>{1, 5, 9}));
}

TEST_F(file_device, does_not_write_what_was_opened_for_reading) {
  auto device = pd::file_device::open_for_reading(path_, sharing::exclusive);
  EXPECT_THROW(write(device, {1}, 7), base::io_error);
  EXPECT_THROW(write(device, {1, 3, 5}, 7), base::io_error);
  EXPECT_EQ(read(device, {1}), std::vector<block_nr>{1});
}

TEST_F(file_device, refuses_files_that_do_not_exist) {
  const std::string missing = folder_ / "missing";
  EXPECT_EQ(message_of<base::io_error>(
                [&] { pd::file_device::open_for_reading(missing, sharing::exclusive); }),
            missing + ": No such file or directory");
  EXPECT_EQ(message_of<base::io_error>([&] { pd::file_device::open_for_writing(missing); }),
            missing + ": No such file or directory");
  EXPECT_FALSE(std::filesystem::exists(missing));
}

TEST_F(file_device, refuses_whatever_holds_no_blocks) {
  for (const std::string& path :
       {folder_ / ".", std::string("/dev/null"), std::string("/dev/zero")}) {
    EXPECT_EQ(message_of<base::io_error>(
                  [&] { pd::file_device::open_for_reading(path, sharing::shared); }),
              path + ": Not a block device or regular file");
    EXPECT_THROW(pd::file_device::open_for_writing(path), base::io_error);
  }
}

TEST_F(file_device, is_locked_while_it_is_written) {
  const auto writer = pd::file_device::open_for_writing(path_);
  EXPECT_EQ(message_of<base::io_error>(
                [&] { pd::file_device::open_for_reading(path_, sharing::exclusive); }),
            path_ + ": another program is writing to it\nWait until that has finished.");
  EXPECT_THROW(pd::file_device::open_for_writing(path_), base::io_error);
  EXPECT_NO_THROW(pd::file_device::open_for_reading(path_, sharing::shared));
}

TEST_F(file_device, is_read_by_several_and_then_not_written) {
  const auto first = pd::file_device::open_for_reading(path_, sharing::exclusive);
  const auto second = pd::file_device::open_for_reading(path_, sharing::exclusive);
  EXPECT_THROW(pd::file_device::open_for_writing(path_), base::io_error);
}

TEST_F(file_device, notices_that_it_was_changed_while_it_was_read) {
  for (const sharing how : {sharing::exclusive, sharing::shared}) {
    auto device = pd::file_device::open_for_reading(path_, how);
    read(device, {1, 2, 3});
    EXPECT_NO_THROW(device.require_unchanged());
    pd::file_device moved(std::move(device));
    EXPECT_NO_THROW(moved.require_unchanged());
    const base::file_handle file(::open(path_.c_str(), O_WRONLY | O_CLOEXEC));
    ASSERT_EQ(::pwrite(file.fd(), "\1", 1, 5000), 1);  // as it was
    EXPECT_THROW(moved.require_unchanged(), base::data_error);
  }
}

TEST_F(file_device, tells_why_a_write_was_cut_short) {
  const auto ignored = std::signal(SIGXFSZ, SIG_IGN);
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  auto device = pd::file_device::open_for_writing(path_);
  struct rlimit limit = before;
  limit.rlim_cur = 10 * pd::block_size + 512;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
  const std::string message = message_of<base::io_error>([&] { write(device, {8, 9, 10, 11}, 7); });
  EXPECT_NO_THROW(write(device, {7, 8, 9}, 7));
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, ignored);
  EXPECT_EQ(message, path_ + ": File too large");
  EXPECT_EQ(read(device, {9, 11}), (std::vector<block_nr>{16, 11}));
}

}  // namespace
