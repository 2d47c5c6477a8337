#include "copy/file_end.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_test_support.h"
#include "base/storage.h"
#include "copy/copier.h"
#include "copy/endpoint_test_support.h"

namespace {

using base::byte_range;
using base::test::message_of;
using base::test::read_file;
using base::test::write_file;
using copy::file_end;

constexpr std::size_t mib = 1048576;

class file_ends : public testing::Test {
 protected:
  file_end open(const std::string& name, int flags) {
    return {base::open_storage(folder / name, {flags, "", ""}), folder / name};
  }

  copy::copy_totals copy(const std::vector<byte_range>& ranges,
                         const copy::copy_options& how = {}) {
    file_end from = open("source", O_RDONLY);
    file_end to = open("target", O_RDWR);
    to.grow_to(from.size());
    base::no_progress progress;
    return copy::copy_extents(from, to, copy::test::these_ranges(ranges),
                              copy::test::bytes_in(ranges), how, progress);
  }

  std::uint64_t allocated(const std::string& name) const {
    return static_cast<std::uint64_t>(base::stat_path(folder / name).st_blocks) * 512;
  }

  base::test::temporary_folder folder;
};

TEST_F(file_ends, notice_at_a_flush_that_the_file_was_removed_or_cut_short) {
  write_file(folder / "target", std::string(mib, 'x'));
  file_end cut = open("target", O_RDWR);
  cut.flush();
  ASSERT_EQ(::truncate((folder / "target").c_str(), 4096), 0);
  const std::string reason = "was removed, replaced or cut short while it was written to";
  EXPECT_NE(message_of<base::io_error>([&] { cut.flush(); }).find(reason), std::string::npos);
  file_end removed = open("target", O_RDWR);
  ASSERT_EQ(::unlink((folder / "target").c_str()), 0);
  EXPECT_NE(message_of<base::io_error>([&] { removed.flush(); }).find(reason), std::string::npos);
}

TEST_F(file_ends, copy_ranges_of_any_alignment) {
  for (const std::size_t size : {5 * mib, 5 * mib - 512, 5 * mib - 4096, 3 * mib + 1, 700UL}) {
    for (const std::uint64_t unit : {65536U, 4096U, 512U, 1000U}) {
      SCOPED_TRACE(std::to_string(size) + " " + std::to_string(unit));
      const std::string source = copy::test::patterned_bytes(size, 1);
      const std::string target = copy::test::patterned_bytes(size, 2);
      const auto ranges = copy::test::random_ranges(size, unit, static_cast<unsigned>(size));
      const std::string expected = copy::test::merged(target, source, ranges);
      for (const bool thorough : {false, true}) {
        write_file(folder / "source", source);
        write_file(folder / "target", target);
        copy(ranges, {.skip_equal = thorough, .verify = thorough});
        EXPECT_TRUE(read_file(folder / "target") == expected);
      }
    }
  }
}

bool is_direct(const file_end& end) {
  return (::fcntl(end.fd(), F_GETFL) & O_DIRECT) != 0;
}

TEST_F(file_ends, are_never_written_past_the_page_cache_and_through_it) {
  write_file(folder / "source", copy::test::patterned_bytes(4 * mib, 1));
  const std::string target = copy::test::patterned_bytes(4 * mib, 2);
  write_file(folder / "target", target);
  base::no_progress progress;
  const auto stays_direct = [&](const std::vector<byte_range>& ranges) {
    file_end from = open("source", O_RDONLY);
    file_end to = open("target", O_RDWR);
    copy::copy_extents(from, to, copy::test::these_ranges(ranges), 0, {}, progress);
    EXPECT_TRUE(read_file(folder / "target") ==
                copy::test::merged(target, read_file(folder / "source"), ranges));
    write_file(folder / "target", target);
    return is_direct(to);
  };
  if (!is_direct(open("target", O_RDWR))) {
    GTEST_SKIP() << "the file system of the temporary folder has no direct requests";
  }
  EXPECT_TRUE(stays_direct({{0, mib}, {2 * mib, 3 * mib + 4096}}));
  EXPECT_FALSE(stays_direct({{0, mib}, {mib + 4096, 2 * mib - 512}, {2 * mib, 4 * mib}}));
}

// Holes that begin or end within a block of the file system go through the cache too.
TEST_F(file_ends, make_unaligned_holes_by_way_of_the_page_cache) {
  const std::vector<byte_range> ranges = {{0, mib + 512}, {2 * mib + 512, 3 * mib}};
  const std::string target = copy::test::patterned_bytes(4 * mib, 2);
  write_file(folder / "source", std::string(4 * mib, '\0'));
  write_file(folder / "target", target);
  copy(ranges, {.skip_equal = true, .verify = true});
  EXPECT_TRUE(read_file(folder / "target") ==
              copy::test::merged(target, std::string(4 * mib, '\0'), ranges));
}

TEST_F(file_ends, let_a_file_grow) {
  write_file(folder / "source", copy::test::patterned_bytes(2 * mib + 512, 1));
  write_file(folder / "target", "");
  copy({{0, 2 * mib + 512}});
  EXPECT_TRUE(read_file(folder / "target") == read_file(folder / "source"));
}

TEST_F(file_ends, make_holes_of_zeros) {
  write_file(folder / "source", std::string(8 * mib, '\0'));
  write_file(folder / "target", std::string(8 * mib, 'x'));
  copy({{0, 8 * mib}});
  EXPECT_TRUE(read_file(folder / "target") == std::string(8 * mib, '\0'));
  EXPECT_LT(allocated("target"), mib);
  copy({{0, 8 * mib}}, {.sparse = false});
  EXPECT_GE(allocated("target"), 8 * mib);
}

TEST_F(file_ends, say_that_a_file_ended_early) {
  write_file(folder / "source", std::string(2 * mib, 'a'));
  write_file(folder / "target", std::string(2 * mib, 'b'));
  file_end from = open("source", O_RDONLY);
  file_end to = open("target", O_RDWR);
  ASSERT_EQ(::truncate((folder / "source").c_str(), mib + 1000), 0);
  base::no_progress progress;
  EXPECT_EQ(message_of<base::io_error>([&] {
              copy::copy_extents(from, to, copy::test::these_ranges({{mib, mib + 4096}}), 0, {},
                                 progress);
            }),
            folder / "source" + ": reading at byte 1048576: Input/output error");
}

TEST_F(file_ends, say_that_there_is_no_room) {
  write_file(folder / "source", std::string(mib, 'a'));
  file_end from = open("source", O_RDONLY);
  file_end to(base::file_handle(::open("/dev/full", O_RDWR | O_CLOEXEC)), "full");
  EXPECT_EQ(to.size(), 0U);
  EXPECT_EQ(message_of<base::io_error>([&] { to.grow_to(mib); }),
            "full: has only 0 bytes, and 1048576 are needed");
}

TEST_F(file_ends, pass_on_what_a_write_fails_with) {
  write_file(folder / "source", std::string(mib, 'a'));
  write_file(folder / "target", std::string(mib, 'b'));
  file_end from = open("source", O_RDONLY);
  file_end read_only = open("target", O_RDONLY);
  base::no_progress progress;
  EXPECT_EQ(
      message_of<base::io_error>([&] {
        copy::copy_extents(from, read_only, copy::test::these_ranges({{0, 4096}}), 0, {}, progress);
      }),
      folder / "target" + ": writing at byte 0: Bad file descriptor");
}

}  // namespace
