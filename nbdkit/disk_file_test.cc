#include "nbdkit/disk_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using served::disk_file;
using access = disk_file::access;

constexpr std::uint64_t size = 1 << 20;

class disk : public testing::Test {
 protected:
  disk() { base::test::write_file(path_, std::string(size, 'a')); }

  std::string contents() const { return base::test::read_file(path_); }

  base::test::temporary_folder folder_;
  std::string path_ = folder_ / "disk";
};

TEST_F(disk, moves_bytes_of_any_alignment) {
  const disk_file file(path_, access::read_write);
  EXPECT_EQ(file.size(), size);
  ASSERT_EQ(file.write(777, "hello", 5), 0);
  std::string read(7, '\0');
  ASSERT_EQ(file.read(776, read.data(), read.size()), 0);
  EXPECT_EQ(read, "ahelloa");
  EXPECT_EQ(file.flush(), 0);
  EXPECT_EQ(contents().substr(776, 7), "ahelloa");
}

TEST_F(disk, writes_zeros_with_and_without_holes) {
  for (const bool may_trim : {false, true}) {
    base::test::write_file(path_, std::string(size, 'a'));
    const disk_file file(path_, access::read_write);
    const int error = file.write_zeroes({5000, 100000}, may_trim);
    if (error == EOPNOTSUPP) {
      GTEST_SKIP() << "this file system has no such calls";
    }
    ASSERT_EQ(error, 0);
    EXPECT_EQ(contents(),
              std::string(5000, 'a') + std::string(95000, '\0') + std::string(size - 100000, 'a'));
  }
}

TEST_F(disk, discards_and_keeps_its_size) {
  const disk_file file(path_, access::read_write);
  ASSERT_EQ(file.discard({8192, size}), 0);
  const std::string after = contents();
  ASSERT_EQ(after.size(), size);
  EXPECT_EQ(after.substr(0, 8192), std::string(8192, 'a'));
}

TEST_F(disk, knows_its_holes) {
  ASSERT_EQ(::truncate(path_.c_str(), 0), 0);
  ASSERT_EQ(::truncate(path_.c_str(), size), 0);
  const disk_file file(path_, access::read_write);
  ASSERT_EQ(file.write(size / 2, "data", 4), 0);
  const disk_file::extent first = file.extent_at(0);
  if (!first.is_hole) {
    GTEST_SKIP() << "this file system does not tell of holes";
  }
  EXPECT_EQ(first.end, size / 2);
  const disk_file::extent second = file.extent_at(size / 2);
  EXPECT_FALSE(second.is_hole);
  EXPECT_GT(second.end, size / 2);
  const disk_file::extent last = file.extent_at(size - 1);
  EXPECT_TRUE(last.is_hole);
  EXPECT_EQ(last.end, size);
}

TEST_F(disk, says_when_the_file_was_cut_off) {
  const disk_file file(path_, access::read_write);
  ASSERT_EQ(::truncate(path_.c_str(), 1000), 0);
  std::string read(100, '\0');
  EXPECT_EQ(file.read(2000, read.data(), read.size()), EIO);
}

TEST_F(disk, is_had_alone) {
  const disk_file file(path_, access::read_write);
  EXPECT_THROW(disk_file(path_, access::read_write), base::io_error);
  EXPECT_THROW(disk_file(path_, access::read_only), base::io_error);
}

TEST_F(disk, is_shared_among_readers) {
  const disk_file file(path_, access::read_only);
  EXPECT_NO_THROW(disk_file(path_, access::read_only));
  EXPECT_THROW(disk_file(path_, access::read_write), base::io_error);
  EXPECT_EQ(file.write(0, "x", 1), EBADF);
}

TEST_F(disk, is_a_file_or_device) {
  EXPECT_THROW(disk_file(folder_ / "missing", access::read_write), base::io_error);
  EXPECT_THROW(disk_file(folder_ / "", access::read_write), base::io_error);
}

}  // namespace
