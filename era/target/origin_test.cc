#include "era/target/origin.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "base/error.h"
#include "base/file_test_support.h"
#include "era/format/superblock.h"

namespace {

using base::test::message_of;
using base::test::read_file;
using base::test::temporary_folder;
using base::test::write_file;
using era::sector_bytes;
using bytes = std::vector<std::byte>;

constexpr std::uint64_t nr_sectors = 1000;

bytes filled(std::uint64_t sectors, unsigned value) {
  return bytes(sectors * sector_bytes, static_cast<std::byte>(value));
}

// What every origin does.
class origin : public testing::TestWithParam<const char*> {
 protected:
  origin() {
    if (std::string(GetParam()) == "memory") {
      origin_ = std::make_unique<era::memory_origin>(nr_sectors);
    } else {
      write_file(folder_ / "origin", std::string(nr_sectors * sector_bytes + 511, '\0'));
      origin_ = std::make_unique<era::file_origin>(folder_ / "origin");
    }
  }

  bytes read(std::uint64_t sector, std::uint64_t sectors) {
    bytes found = filled(sectors, 0xEE);
    origin_->read(sector, found);
    return found;
  }

  temporary_folder folder_;
  std::unique_ptr<era::origin> origin_;
};

INSTANTIATE_TEST_SUITE_P(kinds, origin, testing::Values("memory", "file"));

TEST_P(origin, has_whole_sectors_and_zeros_at_first) {
  EXPECT_EQ(origin_->nr_sectors(), nr_sectors);
  EXPECT_EQ(read(0, nr_sectors), filled(nr_sectors, 0));
}

TEST_P(origin, has_in_each_sector_what_was_written_last) {
  origin_->write(10, filled(3, 1));
  origin_->write(11, filled(1, 2));
  origin_->write(999, filled(1, 3));
  origin_->flush();
  EXPECT_EQ(read(9, 1), filled(1, 0));
  EXPECT_EQ(read(10, 1), filled(1, 1));
  EXPECT_EQ(read(11, 1), filled(1, 2));
  EXPECT_EQ(read(12, 1), filled(1, 1));
  EXPECT_EQ(read(13, 986), filled(986, 0));
  EXPECT_EQ(read(999, 1), filled(1, 3));
}

TEST_P(origin, is_zeroed_in_exactly_the_sectors_asked_for) {
  for (const std::uint64_t count : {0U, 1U, 255U, 256U, 257U, 700U}) {
    origin_->write(0, filled(nr_sectors, 7));
    origin_->write_zeroes(100, count);
    EXPECT_EQ(read(0, 100), filled(100, 7));
    EXPECT_EQ(read(100, count), filled(count, 0));
    EXPECT_EQ(read(100 + count, 900 - count), filled(900 - count, 7));
  }
}

TEST_P(origin, keeps_what_lies_beside_a_discard) {
  origin_->write(0, filled(nr_sectors, 7));
  origin_->discard(101, 333);
  EXPECT_EQ(read(0, 101), filled(101, 7));
  EXPECT_EQ(read(434, 566), filled(566, 7));
  const bytes discarded = read(101, 333);
  EXPECT_TRUE(discarded == filled(333, 0) || discarded == filled(333, 7));
  EXPECT_EQ(origin_->nr_sectors(), nr_sectors);
}

TEST(memory_origin, has_the_name_it_was_given) {
  EXPECT_EQ(era::memory_origin(8).name(), "origin");
  EXPECT_EQ(era::memory_origin(8, "data").name(), "data");
}

TEST(file_origin, writes_into_its_file) {
  const temporary_folder folder;
  write_file(folder / "origin", std::string(4 * sector_bytes, 'x'));
  era::file_origin file(folder / "origin");
  EXPECT_EQ(file.name(), folder / "origin");
  file.write(1, filled(2, 'y'));
  EXPECT_EQ(read_file(folder / "origin"), std::string(sector_bytes, 'x') +
                                              std::string(2 * sector_bytes, 'y') +
                                              std::string(sector_bytes, 'x'));
}

TEST(file_origin, ends_before_a_partial_sector) {
  const temporary_folder folder;
  for (const auto& [size, sectors] : {std::pair{0U, 0U}, {511U, 0U}, {512U, 1U}, {1535U, 2U}}) {
    write_file(folder / "origin", std::string(size, 'x'));
    EXPECT_EQ(era::file_origin(folder / "origin").nr_sectors(), sectors);
  }
}

TEST(file_origin, must_be_a_file_that_is_there) {
  const temporary_folder folder;
  EXPECT_EQ(message_of<base::io_error>([&] { era::file_origin(folder / "none"); }),
            (folder / "none") + ": No such file or directory");
  std::filesystem::create_directory(folder / "folder");
  EXPECT_EQ(message_of<base::io_error>([&] { era::file_origin(folder / "folder"); }),
            (folder / "folder") + ": Not a block device or regular file");
}

TEST(file_origin, reports_what_cannot_be_read) {
  const temporary_folder folder;
  write_file(folder / "origin", std::string(8 * sector_bytes, 'x'));
  era::file_origin file(folder / "origin");
  std::filesystem::resize_file(folder / "origin", 4 * sector_bytes);
  bytes into = filled(2, 0);
  EXPECT_EQ(message_of<base::io_error>([&] { file.read(3, into); }),
            (folder / "origin") + ": Input/output error");
  EXPECT_EQ(message_of<base::io_error>([&] { file.read(UINT64_MAX / 512, into); }),
            (folder / "origin") + ": Invalid argument");
}

TEST(file_origin, reports_what_cannot_be_written) {
  if (!std::filesystem::exists("/dev/full")) {
    GTEST_SKIP() << "no /dev/full here";
  }
  EXPECT_EQ(message_of<base::io_error>([] { era::file_origin("/dev/full"); }),
            "/dev/full: Not a block device or regular file");
}

}  // namespace
