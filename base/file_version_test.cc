#include "base/file_version.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_handle.h"

namespace {

using base::file_version;

base::file_handle new_file() {
  base::file_handle file(::memfd_create("watched", MFD_CLOEXEC));
  base::write_all(file.fd(), "one", 3, "watched");
  return file;
}

void set_written(const base::file_handle& file, time_t seconds) {
  const timespec times[] = {{0, UTIME_OMIT}, {seconds, 0}};
  ASSERT_EQ(::futimens(file.fd(), times), 0);
}

TEST(file_version, stays_while_a_file_is_only_read) {
  const base::file_handle file = new_file();
  const file_version before(file.fd(), "watched");
  char bytes[3];
  ASSERT_EQ(::pread(file.fd(), bytes, sizeof bytes, 0), 3);
  EXPECT_EQ(file_version(file.fd(), "watched"), before);
}

TEST(file_version, changes_with_the_size) {
  const base::file_handle file = new_file();
  const file_version before(file.fd(), "watched");
  base::write_all(file.fd(), "more", 4, "watched");
  EXPECT_NE(file_version(file.fd(), "watched"), before);
}

TEST(file_version, changes_with_the_time_of_writing) {
  const base::file_handle file = new_file();
  set_written(file, 1000);
  const file_version before(file.fd(), "watched");
  set_written(file, 1001);
  EXPECT_NE(file_version(file.fd(), "watched"), before);
}

TEST(file_version, of_a_pipe_never_changes) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::file_handle out(ends[0]);
  const base::file_handle in(ends[1]);
  const file_version before(out.fd(), "pipe");
  base::write_all(in.fd(), "x", 1, "pipe");
  EXPECT_EQ(file_version(out.fd(), "pipe"), before);
}

TEST(file_version, of_nothing_is_an_error) {
  EXPECT_THROW(file_version(-1, "nothing"), base::io_error);
}

}  // namespace
