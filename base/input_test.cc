#include "base/input.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>
#include <vector>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::temporary_folder;
using base::test::write_file;

struct pipe_ends {
  pipe_ends() {
    int ends[2] = {-1, -1};
    EXPECT_EQ(::pipe(ends), 0);
    from = base::file_handle(ends[0]);
    into = base::file_handle(ends[1]);
  }
  base::file_handle from;
  base::file_handle into;
};

TEST(input, reads_up_to_the_end) {
  const temporary_folder folder;
  write_file(folder / "file", "0123456789");
  const base::file_handle file(::open((folder / "file").c_str(), O_RDONLY | O_CLOEXEC));
  base::input from(file.fd(), "file");
  std::vector<char> bytes(8);
  EXPECT_EQ(from.read_some(bytes.data(), bytes.size()), 8U);
  EXPECT_EQ(std::string(bytes.data(), 8), "01234567");
  EXPECT_EQ(from.read_some(bytes.data(), bytes.size()), 2U);
  EXPECT_EQ(std::string(bytes.data(), 2), "89");
  EXPECT_EQ(from.read_some(bytes.data(), bytes.size()), 0U);
}

// All there is, asked for in pieces of different sizes.
std::string rest_of(base::input& from) {
  std::string all;
  std::vector<char> bytes(3'000'000);
  std::size_t size = 1;
  while (const std::size_t got = from.read_some(bytes.data(), size)) {
    EXPECT_LE(got, size);
    all.append(bytes.data(), got);
    size = size * 7 % bytes.size() + 1;
  }
  return all;
}

void drop_from_cache(int fd) {
  ASSERT_EQ(::fsync(fd), 0);
  ASSERT_EQ(::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED), 0);
}

TEST(input, reads_long_files_from_the_page_cache_and_past_it) {
  const temporary_folder folder;
  std::string text;
  for (int i = 0; text.size() < 9'000'000; ++i) {
    text += std::to_string(i) + " ";
  }
  write_file(folder / "file", text);
  const base::file_handle file(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  for (const bool cached : {true, false}) {
    for (const off_t begin : {0, 5, 4096, 8'999'999}) {
      SCOPED_TRACE(std::to_string(begin) + (cached ? ", cached" : ""));
      if (!cached) {
        drop_from_cache(file.fd());
      }
      ASSERT_EQ(::lseek(file.fd(), begin, SEEK_SET), begin);
      base::input from(file.fd(), "file");
      EXPECT_TRUE(rest_of(from) == text.substr(static_cast<std::size_t>(begin)));
    }
  }
}

TEST(input, goes_on_past_the_page_cache_where_that_has_only_the_beginning) {
  const temporary_folder folder;
  const std::string text(5'000'000, 'x');
  write_file(folder / "file", text);
  const base::file_handle file(::open((folder / "file").c_str(), O_RDWR | O_CLOEXEC));
  drop_from_cache(file.fd());
  std::vector<char> bytes(1'000'000);
  ASSERT_EQ(::pread(file.fd(), bytes.data(), bytes.size(), 0), 1'000'000);
  base::input from(file.fd(), "file");
  EXPECT_EQ(rest_of(from).size(), text.size());
}

TEST(input, takes_what_is_there_of_a_pipe) {
  pipe_ends ends;
  base::input from(ends.from.fd(), "pipe");
  base::write_all(ends.into.fd(), "some text", 9, "pipe");
  std::vector<char> bytes(100);
  EXPECT_EQ(from.read_some(bytes.data(), 100), 9U);
  base::write_all(ends.into.fd(), "more", 4, "pipe");
  ends.into = base::file_handle();
  EXPECT_EQ(from.read_some(bytes.data(), 100), 4U);
  EXPECT_EQ(from.read_some(bytes.data(), 100), 0U);
}

TEST(input, waits_for_a_pipe_that_would_rather_not_block) {
  pipe_ends ends;
  ASSERT_EQ(::fcntl(ends.from.fd(), F_SETFL, O_NONBLOCK), 0);
  base::input from(ends.from.fd(), "pipe");
  std::thread writer([&] { base::write_all(ends.into.fd(), "late", 4, "pipe"); });
  char bytes[4];
  EXPECT_EQ(from.read_some(bytes, 4), 4U);
  writer.join();
}

TEST(input, says_what_cannot_be_read) {
  const base::file_handle folder(::open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  base::input from(folder.fd(), "the folder");
  char byte = 0;
  EXPECT_EQ(base::test::message_of<base::io_error>([&] { from.read_some(&byte, 1); }),
            "the folder: Is a directory");
}

TEST(input, stops_though_nobody_writes_into_the_pipe) {
  pipe_ends ends;
  base::input from(ends.from.fd(), "pipe");
  std::size_t got = 1;
  std::thread reader([&] {
    char bytes[4];
    got = from.read_some(bytes, 4);
  });
  from.stop();
  reader.join();
  EXPECT_EQ(got, 0U);
}

}  // namespace
