#include "base/file_handle.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <thread>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using base::test::temporary_folder;

struct pipe_ends {
  base::file_handle from;
  base::file_handle into;
};

pipe_ends make_pipe(int flags) {
  int ends[2];
  if (::pipe2(ends, flags | O_CLOEXEC) != 0) {
    throw base::io_error("no pipe");
  }
  return {base::file_handle(ends[0]), base::file_handle(ends[1])};
}

TEST(file_handle, writes_all_into_a_pipe_that_does_not_wait) {
  pipe_ends ends = make_pipe(O_NONBLOCK);
  const std::string text(1 << 20, 'x');
  std::string got(text.size(), '\0');
  std::thread reader([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    got.resize(base::read_up_to(ends.from.fd(), got.data(), got.size(), "pipe"));
  });
  base::write_all(ends.into.fd(), text.data(), text.size(), "pipe");
  ends.into.close("pipe");
  reader.join();
  EXPECT_TRUE(got == text);
}

TEST(file_handle, reads_from_a_pipe_that_does_not_wait) {
  pipe_ends ends = make_pipe(O_NONBLOCK);
  std::thread writer([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    base::write_all(ends.into.fd(), "late", 4, "pipe");
    ends.into.close("pipe");
  });
  char got[8] = {};
  EXPECT_EQ(base::read_up_to(ends.from.fd(), got, 7, "pipe"), 4U);
  writer.join();
  EXPECT_STREQ(got, "late");
}

TEST(file_handle, says_broken_pipe_of_a_pipe_that_does_not_wait) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  pipe_ends ends = make_pipe(O_NONBLOCK);
  std::thread leaving([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    ends.from.close("pipe");
  });
  const std::string text(1 << 20, 'x');
  EXPECT_THROW(base::write_all(ends.into.fd(), text.data(), text.size(), "pipe"),
               base::broken_pipe);
  leaving.join();
  std::signal(SIGPIPE, before);
}

TEST(file_handle, explains_a_descriptor_that_cannot_be_written_to) {
  const base::file_handle file(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(message_of<base::io_error>([&] { base::write_all(file.fd(), "x", 1, "FILE"); }),
            "FILE: Bad file descriptor\nIt is closed, or was opened for reading only.");
}

TEST(file_handle, moves_all_bytes_at_an_offset_or_says_why_not) {
  const base::test::temporary_folder folder;
  const base::file_handle file(
      ::open((folder / "file").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  EXPECT_EQ(base::write_at(file.fd(), 3, "hello", 5), 0);
  std::string read(5, ' ');
  EXPECT_EQ(base::read_at(file.fd(), 3, read.data(), read.size()), 0);
  EXPECT_EQ(read, "hello");
  EXPECT_EQ(base::read_at(file.fd(), 4, read.data(), read.size()), EIO);
  EXPECT_EQ(base::read_at(file.fd(), 8, read.data(), 0), 0);
  EXPECT_EQ(base::read_at(-1, 0, read.data(), 1), EBADF);
  EXPECT_EQ(base::write_at(-1, 0, "x", 1), EBADF);
}

TEST(file_handle, leaves_a_descriptor_open_whose_close_it_checks) {
  const base::file_handle file(::open("/dev/null", O_WRONLY | O_CLOEXEC));
  base::check_close(file.fd(), "FILE");
  EXPECT_EQ(::write(file.fd(), "x", 1), 1);
  EXPECT_EQ(message_of<base::io_error>([] { base::check_close(-1, "FILE"); }),
            "FILE: Bad file descriptor");
}

TEST(file_handle, syncs_what_there_is_to_sync) {
  const temporary_folder folder;
  const base::file_handle file(
      ::open((folder / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
  base::sync_file(file.fd(), "file");
  const pipe_ends ends = make_pipe(0);
  base::sync_file(ends.into.fd(), "pipe");
  EXPECT_THROW(base::sync_file(-1, "nothing"), base::io_error);
}

TEST(file_handle, knows_one_file_under_two_names) {
  const temporary_folder folder;
  base::test::write_file(folder / "one", "x");
  base::test::write_file(folder / "two", "x");
  std::filesystem::create_hard_link(folder / "one", folder / "another");
  const struct stat one = base::stat_path(folder / "one");
  EXPECT_TRUE(base::is_same_file(one, base::stat_path(folder / "another")));
  EXPECT_FALSE(base::is_same_file(one, base::stat_path(folder / "two")));
}

}  // namespace
