#include "base/in_use.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "base/loop_device_test_support.h"

namespace {

using base::test::loop_device;
using base::test::temporary_folder;

TEST(in_use, finds_no_loop_device_where_there_is_none) {
  const temporary_folder folder;
  base::test::write_file(folder / "file", "x");
  const struct stat info = base::stat_path(folder / "file");
  EXPECT_EQ(base::loop_device_on(info), "");
  EXPECT_FALSE(base::is_loop_device_on(info, info));
  base::refuse_attached(info, "FILE");
}

TEST(in_use, finds_the_loop_device_that_has_a_file_attached) {
  const temporary_folder folder;
  base::test::write_file(folder / "file", std::string(65536, 'x'));
  base::test::write_file(folder / "other", "x");
  const loop_device loop(folder / "file");
  if (loop.path().empty()) {
    GTEST_SKIP() << "no loop devices here";
  }
  const struct stat file = base::stat_path(folder / "file");
  const struct stat device = base::stat_path(loop.path());
  EXPECT_EQ(base::loop_device_on(file), loop.path());
  EXPECT_TRUE(base::is_loop_device_on(device, file));
  EXPECT_FALSE(base::is_loop_device_on(device, base::stat_path(folder / "other")));
  EXPECT_NE(base::test::message_of<base::io_error>([&] {
              base::refuse_attached(file, "FILE");
            }).find("FILE: is in use: " + loop.path() + " has it attached"),
            std::string::npos);
}

}  // namespace
