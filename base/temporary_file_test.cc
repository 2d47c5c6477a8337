#include "base/temporary_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>

#include "base/error.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"

namespace {

using base::test::in_child;
using base::test::temporary_folder;

base::file_handle opened(const temporary_folder& folder) {
  return base::open_folder(AT_FDCWD, folder / ".");
}

TEST(temporary_file, goes_with_its_owner) {
  const temporary_folder folder;
  {
    const base::temporary_file made(opened(folder), 0600);
    ASSERT_TRUE(made.is_open());
    EXPECT_EQ(folder.names().size(), 1U);
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(temporary_file, has_a_short_name_and_the_mode_that_the_umask_leaves) {
  const temporary_folder folder;
  const mode_t before = ::umask(027);
  const base::temporary_file made(opened(folder), 0666);
  ::umask(before);
  const std::string name = *folder.names().begin();
  EXPECT_LE(name.size(), 20U);
  EXPECT_EQ(base::stat_path(folder / name).st_mode & 07777, 0640U);
}

TEST(temporary_file, stays_when_it_was_renamed) {
  const temporary_folder folder;
  {
    base::temporary_file made(opened(folder), 0600);
    base::write_all(made.fd(), "text", 4, "text");
    EXPECT_TRUE(made.rename_to("result"));
    EXPECT_TRUE(made.sync_folder());
  }
  EXPECT_EQ(folder.names(), std::set<std::string>{"result"});
  EXPECT_EQ(base::test::read_file(folder / "result"), "text");
}

TEST(temporary_file, goes_if_it_cannot_be_renamed) {
  const temporary_folder folder;
  std::filesystem::create_directory(folder / "result");
  {
    base::temporary_file made(opened(folder), 0600);
    EXPECT_FALSE(made.rename_to("result"));
    EXPECT_EQ(errno, EISDIR);
  }
  EXPECT_EQ(folder.names(), std::set<std::string>{"result"});
}

TEST(temporary_file, can_be_used_without_a_name) {
  const temporary_folder folder;
  base::temporary_file made(opened(folder), 0600);
  made.make_nameless();
  EXPECT_TRUE(folder.names().empty());
  base::write_all(made.fd(), "text", 4, "text");
  EXPECT_EQ(base::size_in_bytes(made.fd(), "text"), 4U);
}

TEST(temporary_file, says_why_it_could_not_be_made) {
  const base::temporary_file made(base::open_folder(AT_FDCWD, "/proc"), 0600);
  EXPECT_FALSE(made.is_open());
  EXPECT_NE(made.error(), 0);
}

TEST(temporary_file, can_be_made_in_a_folder_that_cannot_be_read) {
  SKIP_UNLESS_ROOT();
  const temporary_folder folder;
  ASSERT_EQ(::chown((folder / ".").c_str(), base::test::nobody, 0), 0);
  ASSERT_EQ(::chmod((folder / ".").c_str(), 0300), 0);
  in_child([&] {
    base::test::become_nobody();
    base::temporary_file made(opened(folder), 0600);
    ASSERT_TRUE(made.is_open());
    EXPECT_TRUE(made.rename_to("result"));
    EXPECT_TRUE(made.sync_folder());
  });
  EXPECT_EQ(folder.names(), std::set<std::string>{"result"});
}

TEST(spool, is_beside_the_file_if_it_can_be_and_has_no_name) {
  const temporary_folder folder;
  const auto spool = base::make_spool(opened(folder), "FILE");
  EXPECT_EQ(folder.names(), std::set<std::string>{});
  struct stat made {};
  ASSERT_EQ(::fstat(spool->fd(), &made), 0);
  EXPECT_EQ(made.st_nlink, 0U);
  EXPECT_EQ(made.st_mode & 07777, 0600U);
}

TEST(spool, is_elsewhere_where_its_folder_takes_no_files) {
  const temporary_folder folder;
  in_child([&] {
    ::setenv("TMPDIR", (folder / ".").c_str(), 1);
    const auto spool = base::make_spool(base::open_folder(AT_FDCWD, "/proc"), "FILE");
    struct stat made {};
    ASSERT_EQ(::fstat(spool->fd(), &made), 0);
    EXPECT_EQ(made.st_dev, base::stat_path(folder / ".").st_dev);
    ::setenv("TMPDIR", "/nowhere", 1);
    base::make_spool(base::file_handle(), "FILE");
  });
}

}  // namespace
