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

using base::progress_bar;
using base::progress_line;

TEST(progress_line, has_percent_rate_and_time_left) {
  EXPECT_EQ(progress_line("verifying", 1, 4, 1048576, 0.5, 60),
            "verifying [====>              ]  25 %  2.00 MiB/s  0:02 left");
  EXPECT_EQ(progress_line("dumping", 123456, 1000000, 0, 1, 60),
            "dumping [==>                     ]  12 %  123 k/s  0:07 left");
  EXPECT_EQ(progress_line("checking", 10, 10, 4096, 2, 60),
            "checking [====================] 100 %  20.0 KiB/s  0:00 left");
  EXPECT_EQ(progress_line("checking", 1, 3721, 4096, 1, 60),
            "checking [>                ]   0 %  4.00 KiB/s  1:02:00 left");
}

TEST(progress_line, leaves_out_what_has_no_room) {
  EXPECT_EQ(progress_line("verifying", 1, 4, 1048576, 0.5, 42),
            "verifying   25 %  2.00 MiB/s  0:02 left");
  EXPECT_EQ(progress_line("verifying", 1, 4, 1048576, 0.5, 16), "verifying   25 %");
  EXPECT_EQ(progress_line("verifying", 0, 4, 4096, 0, 16), "verifying    0 %");
}

TEST(progress_line, says_how_much_where_the_whole_is_not_known) {
  EXPECT_EQ(progress_line("restoring", 3072, 0, 1, 2, 60), "restoring  3.00 KiB  1.50 KiB/s");
}

// What a bar leaves on a standard error, of one stage that is half done after `milliseconds`.
void draw_a_bar(progress_bar::shown when, int milliseconds) {
  progress_bar bar(when);
  bar.begin("verifying", 4096);
  bar.at(1, 4);
  std::this_thread::sleep_for(std::chrono::milliseconds(milliseconds));
  bar.at(2, 4);
  bar.at(4, 4);
}

std::string drawn_on_a_terminal(progress_bar::shown when, int milliseconds) {
  const base::file_handle human(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC));
  if (!human.is_open() || ::grantpt(human.fd()) != 0 || ::unlockpt(human.fd()) != 0) {
    return "no terminals here";
  }
  const base::file_handle terminal(::open(::ptsname(human.fd()), O_RDWR | O_NOCTTY | O_CLOEXEC));
  base::test::in_child([&] {
    ASSERT_EQ(::dup2(terminal.fd(), STDERR_FILENO), STDERR_FILENO);
    draw_a_bar(when, milliseconds);
  });
  EXPECT_EQ(::fcntl(human.fd(), F_SETFL, O_NONBLOCK), 0);
  char got[4096] = {};
  const ssize_t length = ::read(human.fd(), got, sizeof got - 1);
  return std::string(got, length > 0 ? static_cast<std::size_t>(length) : 0);
}

std::string drawn_into_a_pipe(progress_bar::shown when, int milliseconds) {
  int ends[2];
  EXPECT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::file_handle from(ends[0]);
  base::file_handle into(ends[1]);
  base::test::in_child([&] {
    ASSERT_EQ(::dup2(into.fd(), STDERR_FILENO), STDERR_FILENO);
    draw_a_bar(when, milliseconds);
  });
  into.close("pipe");
  char got[4096] = {};
  const ssize_t length = ::read(from.fd(), got, sizeof got - 1);
  return std::string(got, length > 0 ? static_cast<std::size_t>(length) : 0);
}

TEST(progress_bar, is_drawn_on_a_terminal_from_the_first_second_on_and_wiped) {
  const std::string drawn = drawn_on_a_terminal(progress_bar::shown::on_terminals, 1050);
  if (drawn == "no terminals here") {
    GTEST_SKIP() << drawn;
  }
  EXPECT_TRUE(drawn.starts_with("\rverifying [")) << drawn;
  EXPECT_NE(drawn.find("  50 %"), std::string::npos) << drawn;
  EXPECT_EQ(drawn.find("  25 %"), std::string::npos) << drawn;
  EXPECT_TRUE(drawn.ends_with("left\033[K\r\033[K")) << drawn;
}

TEST(progress_bar, is_not_drawn_before) {
  EXPECT_EQ(drawn_on_a_terminal(progress_bar::shown::on_terminals, 0), "");
  EXPECT_EQ(drawn_on_a_terminal(progress_bar::shown::never, 1050), "");
}

TEST(progress_bar, is_not_drawn_into_a_pipe_unless_that_is_asked_for) {
  EXPECT_EQ(drawn_into_a_pipe(progress_bar::shown::on_terminals, 1050), "");
  EXPECT_EQ(drawn_into_a_pipe(progress_bar::shown::never, 1050), "");
}

TEST(progress_bar, is_lines_in_a_pipe) {
  const std::string lines = drawn_into_a_pipe(progress_bar::shown::always, 1050);
  EXPECT_TRUE(lines.starts_with("verifying [")) << lines;
  EXPECT_EQ(std::count(lines.begin(), lines.end(), '\n'), 3) << lines;
  EXPECT_NE(lines.find(" 100 %"), std::string::npos) << lines;
  EXPECT_EQ(lines.find('\r'), std::string::npos) << lines;
}

}  // namespace
