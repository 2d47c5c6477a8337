#include "base/whole_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"

namespace {

using base::test::in_child;
using base::test::message_of;
using base::test::nobody;
using base::test::read_file;
using base::test::temporary_folder;
using base::test::write_file;

base::file_handle open_file(const std::string& path, mode_t mode = 0600) {
  return base::file_handle(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, mode));
}

std::string text_of(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) {
    text += std::to_string(i) + "\n";
  }
  return text.substr(0, size);
}

bool make_alike(const std::string& to, const std::string& from) {
  return base::make_alike(open_file(to).fd(), open_file(from).fd(), base::stat_path(from));
}

TEST(copy_whole, makes_one_file_the_other_whatever_their_sizes) {
  const temporary_folder folder;
  for (const std::size_t size : {0, 1, 4095, 4096, 4097, 3 << 20}) {
    for (const std::size_t old_size : {0, 10, 5 << 20}) {
      write_file(folder / "from", text_of(size));
      write_file(folder / "to", std::string(old_size, 'o'));
      base::copy_whole(open_file(folder / "from").fd(), open_file(folder / "to").fd(), "to");
      EXPECT_TRUE(read_file(folder / "to") == text_of(size)) << size << " over " << old_size;
    }
  }
}

TEST(copy_whole, touches_nothing_where_there_is_no_room) {
  const temporary_folder folder;
  write_file(folder / "from", text_of(100000));
  write_file(folder / "to", "old");
  in_child([&] {
    std::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {50000, 50000};
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &limit), 0);
    EXPECT_EQ(message_of<base::io_error>([&] {
                base::copy_whole(open_file(folder / "from").fd(), open_file(folder / "to").fd(),
                                 "TO");
              }),
              "TO: File too large\nIt holds what it held before.");
  });
  EXPECT_EQ(read_file(folder / "to"), "old");
}

TEST(copy_whole, says_that_a_file_is_incomplete_if_it_fails_later) {
  const temporary_folder folder;
  write_file(folder / "from", text_of(10));
  write_file(folder / "to", "old");
  // Takes no writes: there is room, though.
  const base::file_handle to(::open((folder / "to").c_str(), O_RDWR | O_CLOEXEC));
  const base::file_handle from(::open((folder / "from").c_str(), O_WRONLY | O_CLOEXEC));
  const std::string message =
      message_of<base::io_error>([&] { base::copy_whole(from.fd(), to.fd(), "TO"); });
  EXPECT_EQ(message, "TO: Bad file descriptor\nWhat it holds now is incomplete: don't use it.");
  EXPECT_EQ(read_file(folder / "to"), std::string(10, '\0'));
}

TEST(copy_whole, takes_setuid_and_setgid_away) {
  const temporary_folder folder;
  write_file(folder / "from", "new");
  write_file(folder / "to", "old");
  ASSERT_EQ(::chmod((folder / "to").c_str(), 06755), 0);
  base::copy_whole(open_file(folder / "from").fd(), open_file(folder / "to").fd(), "to");
  EXPECT_EQ(base::stat_path(folder / "to").st_mode & 07777, 0755U);
}

TEST(make_alike, gives_owner_and_mode_without_setuid) {
  SKIP_UNLESS_ROOT();
  const temporary_folder folder;
  write_file(folder / "old", "old");
  ASSERT_EQ(::chown((folder / "old").c_str(), nobody, 1234), 0);
  ASSERT_EQ(::chmod((folder / "old").c_str(), 06666), 0);
  EXPECT_TRUE(make_alike(folder / "new", folder / "old"));
  const struct stat made = base::stat_path(folder / "new");
  EXPECT_EQ(made.st_uid, nobody);
  EXPECT_EQ(made.st_gid, 1234U);
  EXPECT_EQ(made.st_mode & 07777, 0666U);
}

TEST(make_alike, does_not_open_a_file_whose_owner_cannot_be_kept) {
  SKIP_UNLESS_ROOT();
  const temporary_folder folder;
  ASSERT_EQ(::chmod((folder / ".").c_str(), 0777), 0);
  write_file(folder / "old", "old");
  ASSERT_EQ(::chmod((folder / "old").c_str(), 0666), 0);
  in_child([&] {
    base::test::become_nobody();
    EXPECT_FALSE(make_alike(folder / "new", folder / "old"));
  });
  EXPECT_EQ(base::stat_path(folder / "new").st_mode & 07777, 0600U);
}

TEST(make_alike, refuses_what_differs_in_extended_attributes) {
  const temporary_folder folder;
  write_file(folder / "old", "old");
  if (::setxattr((folder / "old").c_str(), "user.note", "x", 1, 0) != 0) {
    GTEST_SKIP() << "no extended attributes here";
  }
  EXPECT_FALSE(make_alike(folder / "new", folder / "old"));
  ASSERT_EQ(::setxattr((folder / "new").c_str(), "user.note", "x", 1, 0), 0);
  EXPECT_TRUE(make_alike(folder / "new", folder / "old"));
}

}  // namespace
