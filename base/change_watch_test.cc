#include "base/change_watch.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <atomic>
#include <thread>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"

namespace {

class change_watch : public testing::Test {
 protected:
  change_watch() { base::test::write_file(path_, "some bytes"); }

  base::file_handle open(int flags) const {
    return base::file_handle(::open(path_.c_str(), flags | O_CLOEXEC));
  }

  // Without opening it to be emptied first.
  void write(off_t where, const std::string& bytes) const {
    const base::file_handle file = open(O_WRONLY);
    EXPECT_EQ(::pwrite(file.fd(), bytes.data(), bytes.size(), where),
              static_cast<ssize_t>(bytes.size()));
  }

  base::test::temporary_folder folder_;
  const std::string path_ = folder_ / "file";
};

TEST_F(change_watch, sees_no_change_where_there_is_none) {
  EXPECT_FALSE(base::change_watch().has_changed());
  const base::file_handle file = open(O_RDONLY);
  const base::change_watch watch(file.fd(), path_);
  EXPECT_FALSE(watch.has_changed());
  EXPECT_EQ(base::test::read_file(path_), "some bytes");
  EXPECT_FALSE(watch.has_changed());
}

TEST_F(change_watch, sees_a_write_that_leaves_the_bytes_as_they_are) {
  const base::file_handle file = open(O_RDONLY);
  const base::change_watch watch(file.fd(), path_);
  write(0, "some");
  EXPECT_TRUE(watch.has_changed());
}

TEST_F(change_watch, sees_another_size) {
  const base::file_handle file = open(O_RDONLY);
  const base::change_watch watch(file.fd(), path_);
  write(10, "and more");
  EXPECT_TRUE(watch.has_changed());
}

TEST_F(change_watch, sees_nothing_in_a_pipe) {
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const base::file_handle out(ends[0]);
  const base::file_handle in(ends[1]);
  const base::change_watch watch(out.fd(), "pipe");
  base::write_all(in.fd(), "x", 1, "pipe");
  EXPECT_FALSE(watch.has_changed());
}

TEST_F(change_watch, of_nothing_is_an_error) {
  EXPECT_THROW(base::change_watch(-1, "nothing"), base::io_error);
}

TEST_F(change_watch, sees_a_write_right_after_another) {
  // Without waiting, most of these fall into the same tick.
  const base::file_handle file = open(O_RDONLY);
  for (int i = 0; i < 20; ++i) {
    write(0, "A");
    const base::change_watch watch(file.fd(), path_);
    write(0, "B");
    EXPECT_TRUE(watch.has_changed()) << i;
  }
}

TEST_F(change_watch, waits_for_a_writer_who_pauses) {
  std::atomic<bool> writing{true};
  const base::file_handle file = open(O_RDONLY);
  write(0, "A");
  std::thread writer([&] {
    const base::file_handle out = open(O_WRONLY);
    for (int i = 0; i < 10; ++i) {
      EXPECT_EQ(::pwrite(out.fd(), "B", 1, i), 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    writing = false;
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  const base::change_watch watch(file.fd(), path_);
  EXPECT_FALSE(writing);
  writer.join();
  EXPECT_FALSE(watch.has_changed());
}

TEST_F(change_watch, refuses_a_file_that_is_written_to_all_the_time) {
  std::atomic<bool> enough{false};
  const base::file_handle file = open(O_RDONLY);
  std::thread writer([&] {
    const base::file_handle out = open(O_WRONLY);
    while (!enough) {
      EXPECT_EQ(::pwrite(out.fd(), "B", 1, 0), 1);
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
  });
  std::this_thread::sleep_for(std::chrono::milliseconds(15));
  EXPECT_THROW(base::change_watch(file.fd(), path_), base::io_error);
  enough = true;
  writer.join();
}

TEST_F(change_watch, takes_who_has_a_file_open_without_writing_for_idle) {
  const base::file_handle idle = open(O_WRONLY);
  const base::file_handle file = open(O_RDONLY);
  const base::change_watch watch(file.fd(), path_);
  EXPECT_FALSE(watch.has_changed());
}

}  // namespace
