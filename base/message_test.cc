#include "base/message.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <string>

#include "base/file_handle.h"
#include "base/process_test_support.h"

namespace {

TEST(message, is_written_whole_to_a_standard_error_that_does_not_wait) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK), 0);
  const base::file_handle from(ends[0]);
  base::file_handle into(ends[1]);
  const std::string text(1 << 20, 'x');
  const pid_t child = base::test::start_child([&] {
    ::dup2(into.fd(), STDERR_FILENO);
    base::say(text);
    base::draw("end");
  });
  into.close("pipe");
  std::string got(2 * text.size(), '\0');
  got.resize(base::read_up_to(from.fd(), got.data(), got.size(), "pipe"));
  EXPECT_EQ(base::test::status_of(child), 0);
  EXPECT_TRUE(got == text + "\nend");
}

TEST(message, goes_nowhere_without_standard_error) {
  base::test::in_child([] {
    ::close(STDERR_FILENO);
    base::say("nobody hears this");
  });
}

}  // namespace
