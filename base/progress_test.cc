#include "base/progress.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <thread>

#include "base/file_handle.h"
#include "base/process_test_support.h"

namespace {

TEST(progress_bar, is_drawn_on_a_terminal_and_wiped) {
  const base::file_handle human(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!human.is_open() || ::grantpt(human.fd()) != 0 || ::unlockpt(human.fd()) != 0) {
    GTEST_SKIP() << "no terminals here";
  }
  base::test::in_child([&] {
    const int terminal = ::open(::ptsname(human.fd()), O_RDWR | O_NOCTTY);
    ASSERT_EQ(::dup2(terminal, STDERR_FILENO), STDERR_FILENO);
    base::progress_bar shown(true);
    shown.begin("verifying");
    shown.at(1, 4);
    std::this_thread::sleep_for(std::chrono::milliseconds(1050));
    shown.at(1, 2);
  });
  char got[64] = {};
  EXPECT_GT(::read(human.fd(), got, sizeof got - 1), 0);
  EXPECT_STREQ(got, "\rverifying:  50%\r\033[K");
}

TEST(progress_bar, is_not_drawn_into_a_pipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::file_handle from(ends[0]);
  base::file_handle into(ends[1]);
  base::test::in_child([&] {
    ASSERT_EQ(::dup2(into.fd(), STDERR_FILENO), STDERR_FILENO);
    base::progress_bar hidden(true);
    hidden.begin("verifying");
    std::this_thread::sleep_for(std::chrono::milliseconds(1050));
    hidden.at(1, 2);
  });
  into.close("pipe");
  char got = 0;
  EXPECT_EQ(::read(from.fd(), &got, 1), 0);
}

}  // namespace
