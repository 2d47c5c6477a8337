#include "base/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"
#include "base/temporary_file.h"

namespace {

using base::test::in_child;
using base::test::start_child;
using base::test::status_of;
using base::test::temporary_folder;

TEST(process, fills_closed_streams_with_what_cannot_be_used) {
  in_child([] {
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    ::close(STDERR_FILENO);
    base::fill_standard_streams();
    const int next = ::open("/dev/null", O_RDWR);
    char byte = 0;
    const bool in = ::read(STDIN_FILENO, &byte, 1) < 0 && errno == EBADF;
    const bool out = ::write(STDOUT_FILENO, &byte, 1) < 0 && errno == EBADF;
    const bool err = ::write(STDERR_FILENO, &byte, 1) < 0 && errno == EBADF;
    EXPECT_TRUE(in && out && err && next > STDERR_FILENO);
  });
}

TEST(process, fills_closed_streams_where_there_are_no_devices) {
  SKIP_UNLESS_ROOT();
  const temporary_folder folder;
  in_child([&] {
    ASSERT_EQ(::chroot((folder / ".").c_str()), 0);
    ::close(STDIN_FILENO);
    ::close(STDOUT_FILENO);
    base::fill_standard_streams();
    char byte = 0;
    EXPECT_TRUE(::read(STDIN_FILENO, &byte, 1) < 0 && errno == EBADF);
    EXPECT_TRUE(::write(STDOUT_FILENO, &byte, 1) < 0 && errno == EBADF);
  });
}

TEST(process, leaves_open_streams_alone) {
  in_child([] {
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    ASSERT_EQ(::dup2(ends[1], STDOUT_FILENO), STDOUT_FILENO);
    ::close(STDIN_FILENO);
    base::fill_standard_streams();
    EXPECT_EQ(::write(STDOUT_FILENO, "x", 1), 1);
  });
}

TEST(process, removes_doomed_files_before_a_signal_ends_it) {
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    const temporary_folder folder;
    const std::string path = folder / ".";
    const pid_t child = start_child([&] {
      const rlimit no_core = {0, 0};
      ::setrlimit(RLIMIT_CORE, &no_core);
      base::take_care_of_signals();
      const base::temporary_file one(base::open_folder(AT_FDCWD, path), 0600);
      const base::temporary_file two(base::open_folder(AT_FDCWD, path), 0600);
      EXPECT_EQ(folder.names().size(), 2U);
      ::raise(number);
    });
    EXPECT_EQ(status_of(child), 128 + number);
    EXPECT_TRUE(folder.names().empty());
  }
}

TEST(process, leaves_what_is_doomed_no_more) {
  const temporary_folder folder;
  const std::string path = folder / ".";
  const pid_t child = start_child([&] {
    base::take_care_of_signals();
    base::temporary_file made(base::open_folder(AT_FDCWD, path), 0600);
    EXPECT_TRUE(made.rename_to("result"));
    ::raise(SIGTERM);
  });
  EXPECT_EQ(status_of(child), 128 + SIGTERM);
  EXPECT_EQ(folder.names(), std::set<std::string>{"result"});
}

TEST(process, keeps_ignored_signals_ignored) {
  in_child([] {
    ::signal(SIGHUP, SIG_IGN);
    base::take_care_of_signals();
    ::raise(SIGHUP);
  });
}

TEST(process, makes_a_file_size_limit_a_write_error) {
  const temporary_folder folder;
  in_child([&] {
    base::take_care_of_signals();
    const rlimit limit = {1000, 1000};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    const base::file_handle file(
        ::open((folder / "file").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600));
    const std::string text(5000, 'x');
    const std::string message = base::test::message_of<base::io_error>(
        [&] { base::write_all(file.fd(), text.data(), text.size(), "FILE"); });
    EXPECT_EQ(message, "FILE: File too large");
  });
}

TEST(process, waits_for_a_child_before_a_signal_ends_it) {
  const temporary_folder folder;
  testing::internal::CaptureStderr();
  const pid_t process = start_child([&] {
    base::take_care_of_signals();
    int ends[2];
    ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends), 0);
    const pid_t child = start_child([&] {
      ::close(ends[0]);
      char byte = 0;
      EXPECT_EQ(::read(ends[1], &byte, 1), 0);
      base::test::write_file(folder / "done", "");
      ::_exit(3);
    });
    const base::awaited_child awaited(child, ends[0], "it has failed");
    ::raise(SIGTERM);
  });
  EXPECT_EQ(status_of(process), 128 + SIGTERM);
  EXPECT_EQ(folder.names(), std::set<std::string>{"done"});
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "it has failed\n");
}

TEST(process, does_not_wait_for_a_child_that_is_awaited_no_more) {
  const pid_t process = start_child([&] {
    base::take_care_of_signals();
    { const base::awaited_child awaited(::getppid(), -1, "said"); }
    ::raise(SIGTERM);
  });
  EXPECT_EQ(status_of(process), 128 + SIGTERM);
}

TEST(process, can_wait_for_children_though_their_signal_was_ignored) {
  in_child([] {
    ::signal(SIGCHLD, SIG_IGN);
    base::take_care_of_signals();
    EXPECT_EQ(status_of(start_child([] { ::_exit(7); })), 7);
  });
}

TEST(process, holds_signals_back) {
  const temporary_folder folder;
  const pid_t process = start_child([&] {
    const base::held_back_signals held_back;
    ::raise(SIGTERM);
    base::test::write_file(folder / "still there", "");
  });
  EXPECT_EQ(status_of(process), 128 + SIGTERM);
  EXPECT_EQ(folder.names(), std::set<std::string>{"still there"});
  const pid_t other = start_child([&] {
    {
      const base::held_back_signals held_back;
      ::raise(SIGTERM);
    }
    base::test::write_file(folder / "not there", "");
  });
  EXPECT_EQ(status_of(other), 128 + SIGTERM);
  EXPECT_EQ(folder.names().size(), 1U);
}

TEST(process, gives_a_slot_back_with_each_object) {
  for (int i = 0; i < 100; ++i) {
    const base::doomed_file one(-1, "x");
    const base::doomed_file two(-1, "y");
    const base::awaited_child three(-1, -1, "");
  }
}

}  // namespace
