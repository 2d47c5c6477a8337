#include "base/destination.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "base/loop_device_test_support.h"
#include "base/process_test_support.h"

namespace {

using base::test::in_child;
using base::test::loop_device;
using base::test::message_of;
using base::test::nobody;
using base::test::read_file;
using base::test::temporary_folder;
using base::test::write_file;

void put(const std::string& path, const std::string& text, const std::string& input = "") {
  const auto to = base::open_destination(path, input);
  base::write_all(to->fd(), text.data(), text.size(), to->name());
  to->finish();
}

std::string refusal(const std::string& path, const std::string& input = "") {
  return message_of<base::io_error>([&] { put(path, "new", input); });
}

mode_t mode_of(const std::string& path) {
  return base::stat_path(path).st_mode & 07777;
}

ino_t inode_of(const std::string& path) {
  return base::stat_path(path).st_ino;
}

void set_owner_and_mode(const std::string& path, uid_t owner, mode_t mode) {
  ASSERT_EQ(::chown(path.c_str(), owner, owner), 0);
  ASSERT_EQ(::chmod(path.c_str(), mode), 0);
}

// A folder with a file "list" that holds "old".
struct with_list : temporary_folder {
  with_list() { write_file(path(), "old"); }
  std::string path() const { return *this / "list"; }
};

TEST(destination, is_renamed_over_a_file_that_stays_the_same_by_that) {
  const with_list folder;
  const ino_t before = inode_of(folder.path());
  put(folder.path(), "new");
  EXPECT_EQ(read_file(folder.path()), "new");
  EXPECT_NE(inode_of(folder.path()), before);
  EXPECT_EQ(folder.names(), std::set<std::string>{"list"});
}

TEST(destination, keeps_several_hard_links_one_file) {
  const with_list folder;
  std::filesystem::create_hard_link(folder.path(), folder / "other");
  {
    const auto dropped = base::open_destination(folder.path(), "");
    base::write_all(dropped->fd(), "half", 4, "");
  }
  EXPECT_EQ(read_file(folder / "other"), "old");
  put(folder.path(), "new text");
  EXPECT_EQ(read_file(folder / "other"), "new text");
  EXPECT_EQ(folder.names(), (std::set<std::string>{"list", "other"}));
}

TEST(destination, fills_a_file_that_something_is_mounted_on) {
  const with_list folder;
  write_file(folder / "beneath", "beneath");
  const base::test::bind_mount mounted(folder.path(), folder / "beneath");
  if (!mounted.is_mounted()) {
    GTEST_SKIP() << "nothing can be mounted here";
  }
  put(folder / "beneath", "new");
  EXPECT_EQ(read_file(folder.path()), "new");
  EXPECT_EQ(folder.names(), (std::set<std::string>{"beneath", "list"}));
}

TEST(destination, fills_a_file_of_somebody_else_in_a_sticky_folder) {
  SKIP_UNLESS_ROOT();
  const with_list folder;
  set_owner_and_mode(folder.path(), 0, 0666);
  ASSERT_EQ(::chmod((folder / ".").c_str(), 01777), 0);
  const ino_t before = inode_of(folder.path());
  in_child([&] {
    base::test::become_nobody();
    put(folder.path(), "new");
  });
  EXPECT_EQ(read_file(folder.path()), "new");
  EXPECT_EQ(inode_of(folder.path()), before);
  EXPECT_EQ(base::stat_path(folder.path()).st_uid, 0U);
  EXPECT_EQ(folder.names(), std::set<std::string>{"list"});
}

TEST(destination, fills_a_file_in_a_folder_that_takes_no_others) {
  SKIP_UNLESS_ROOT();
  const with_list folder;
  set_owner_and_mode(folder.path(), nobody, 0600);
  ASSERT_EQ(::chmod((folder / ".").c_str(), 0755), 0);
  in_child([&] {
    base::test::become_nobody();
    put(folder.path(), "new");
    EXPECT_EQ(refusal(folder / "other"), folder / "other" + ": Permission denied");
  });
  EXPECT_EQ(read_file(folder.path()), "new");
  EXPECT_EQ(folder.names(), std::set<std::string>{"list"});
}

TEST(destination, fills_a_file_with_an_attribute_that_would_be_lost) {
  const with_list folder;
  if (::setxattr(folder.path().c_str(), "user.note", "x", 1, 0) != 0) {
    GTEST_SKIP() << "no extended attributes here";
  }
  put(folder.path(), "new");
  EXPECT_EQ(read_file(folder.path()), "new");
  char value = 0;
  EXPECT_EQ(::getxattr(folder.path().c_str(), "user.note", &value, 1), 1);
}

TEST(destination, takes_names_as_long_as_there_are) {
  const temporary_folder folder;
  const std::string path = folder / std::string(255, 'n');
  put(path, "first");
  put(path, "second");
  EXPECT_EQ(read_file(path), "second");
}

TEST(destination, keeps_the_owner_and_no_setuid_bit_of_a_file_of_somebody_else) {
  SKIP_UNLESS_ROOT();
  for (const bool is_linked : {false, true}) {
    const with_list folder;
    set_owner_and_mode(folder.path(), nobody, 06666);
    if (is_linked) {
      std::filesystem::create_hard_link(folder.path(), folder / "other");
    }
    put(folder.path(), "new");
    EXPECT_EQ(base::stat_path(folder.path()).st_uid, nobody);
    EXPECT_EQ(base::stat_path(folder.path()).st_gid, nobody);
    EXPECT_EQ(mode_of(folder.path()), 0666U);
  }
}

TEST(destination, is_open_to_nobody_else_before_it_is_complete) {
  const with_list folder;
  ASSERT_EQ(::chmod(folder.path().c_str(), 0640), 0);
  const auto to = base::open_destination(folder.path(), "");
  struct stat info {};
  ASSERT_EQ(::fstat(to->fd(), &info), 0);
  EXPECT_EQ(info.st_mode & 07777, 0640U);
}

TEST(destination, makes_what_a_dangling_link_leads_to) {
  const temporary_folder folder;
  std::filesystem::create_directory(folder / "deep");
  std::filesystem::create_symlink("deep/link", folder / "link");
  std::filesystem::create_symlink("../target", folder / "deep/link");
  put(folder / "link", "new");
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "deep/link"));
  EXPECT_EQ(read_file(folder / "target"), "new");
  std::filesystem::create_symlink(folder / "absolute", folder / "to absolute");
  put(folder / "to absolute", "new");
  EXPECT_EQ(read_file(folder / "absolute"), "new");
}

TEST(destination, refuses_links_that_lead_nowhere_or_in_a_circle) {
  const temporary_folder folder;
  std::filesystem::create_symlink("no/folder", folder / "nowhere");
  EXPECT_EQ(refusal(folder / "nowhere"), folder / "nowhere" + ": No such file or directory");
  std::filesystem::create_symlink("circle", folder / "circle");
  EXPECT_EQ(refusal(folder / "circle"), folder / "circle" + ": Too many levels of symbolic links");
}

TEST(destination, follows_no_link_that_somebody_else_made_where_all_may) {
  SKIP_UNLESS_ROOT();
  for (const bool exists : {false, true}) {
    const temporary_folder folder;
    std::filesystem::create_directory(folder / "open");
    ASSERT_EQ(::chmod((folder / "open").c_str(), 01777), 0);
    if (exists) {
      write_file(folder / "mine", "precious");
    }
    std::filesystem::create_symlink("../mine", folder / "open/link");
    ASSERT_EQ(::lchown((folder / "open/link").c_str(), nobody, nobody), 0);
    EXPECT_NE(refusal(folder / "open/link").find("open/link: Permission denied"),
              std::string::npos);
    EXPECT_EQ(std::filesystem::exists(folder / "mine"), exists);
    EXPECT_EQ(read_file(folder / "mine"), exists ? "precious" : "");
    ASSERT_EQ(::lchown((folder / "open/link").c_str(), 0, 0), 0);
    put(folder / "open/link", "new");
    EXPECT_EQ(read_file(folder / "mine"), "new");
  }
}

TEST(destination, refuses_names_of_folders) {
  const temporary_folder folder;
  EXPECT_EQ(refusal(folder / "new/"), folder / "new/" + ": Is a directory");
  EXPECT_EQ(refusal(folder / "."), folder / "." + ": Is a directory");
  EXPECT_TRUE(folder.names().empty());
}

TEST(destination, does_not_replace_what_a_descriptor_has_open) {
  const with_list folder;
  const base::file_handle opened(::open(folder.path().c_str(), O_WRONLY | O_CLOEXEC));
  const std::string number = std::to_string(opened.fd());
  const ino_t before = inode_of(folder.path());
  const std::string other_process = "/proc/" + std::to_string(::getpid()) + "/fd/" + number;
  for (const std::string& path : {"/dev/fd/" + number, "/proc/self/fd/" + number, other_process}) {
    ASSERT_EQ(::ftruncate(opened.fd(), 0), 0);
    ASSERT_EQ(::lseek(opened.fd(), 0, SEEK_SET), 0);
    put(path, path);
    EXPECT_EQ(read_file(folder.path()), path);
    EXPECT_EQ(inode_of(folder.path()), before);
  }
}

TEST(destination, refuses_an_input_that_standard_output_leads_to) {
  const with_list folder;
  in_child([&] {
    const int opened = ::open(folder.path().c_str(), O_WRONLY | O_CLOEXEC);
    ASSERT_EQ(::dup2(opened, STDOUT_FILENO), STDOUT_FILENO);
    for (const char* const path : {"-", "/dev/stdout", "/dev/fd/1"}) {
      EXPECT_NE(refusal(path, folder.path()).find(": is the input"), std::string::npos);
    }
  });
  EXPECT_EQ(read_file(folder.path()), "old");
}

TEST(destination, waits_for_the_reader_of_a_fifo) {
  const temporary_folder folder;
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const pid_t reader = base::test::start_child([&] {
    ::usleep(50000);
    EXPECT_EQ(read_file(path), "through");
  });
  put(path, "through");
  EXPECT_EQ(base::test::status_of(reader), 0);
}

TEST(destination, replaces_a_fifo_that_took_the_place_of_the_file) {
  const with_list folder;
  const auto to = base::open_destination(folder.path(), "");
  std::filesystem::remove(folder.path());
  ASSERT_EQ(::mkfifo(folder.path().c_str(), 0600), 0);
  base::write_all(to->fd(), "new", 3, "");
  to->finish();
  EXPECT_EQ(read_file(folder.path()), "new");
}

// Loop devices.

struct with_loop : temporary_folder {
  explicit with_loop(const std::string& options = "") {
    write_file(*this / "image", std::string(64 * 1024, 'o'));
    loop.emplace(*this / "image", options);
  }
  std::string image() const { return *this / "image"; }
  bool is_attached() const { return !loop->path().empty(); }
  std::optional<loop_device> loop;
};

TEST(destination, fills_the_beginning_of_a_block_device) {
  const with_loop folder;
  if (!folder.is_attached()) {
    GTEST_SKIP() << "no loop devices here";
  }
  const std::string text(10000, 'n');
  {
    const auto dropped = base::open_destination(folder.loop->path(), "");
    base::write_all(dropped->fd(), text.data(), text.size(), "");
  }
  EXPECT_EQ(read_file(folder.loop->path()), std::string(64 * 1024, 'o'));
  put(folder.loop->path(), text);
  EXPECT_EQ(read_file(folder.loop->path()), text + std::string(64 * 1024 - text.size(), 'o'));
}

TEST(destination, refuses_a_block_device_that_is_too_small) {
  const with_loop folder;
  if (!folder.is_attached()) {
    GTEST_SKIP() << "no loop devices here";
  }
  const std::string message = message_of<base::io_error>(
      [&] { put(folder.loop->path(), std::string(64 * 1024 + 1, 'n')); });
  EXPECT_EQ(message, folder.loop->path() +
                         ": is too small: the result has 65537 bytes, the device 65536\n"
                         "Nothing was written to it.");
  EXPECT_EQ(read_file(folder.loop->path()), std::string(64 * 1024, 'o'));
}

TEST(destination, refuses_a_block_device_in_use_or_read_only) {
  const with_loop folder;
  const with_loop read_only("--read-only");
  if (!folder.is_attached() || !read_only.is_attached()) {
    GTEST_SKIP() << "no loop devices here";
  }
  EXPECT_EQ(refusal(read_only.loop->path())
                .find(read_only.loop->path() + ": is a read-only block device"),
            0U);
  const base::file_handle user(::open(folder.loop->path().c_str(), O_RDONLY | O_EXCL | O_CLOEXEC));
  EXPECT_EQ(refusal(folder.loop->path())
                .find(folder.loop->path() + ": Device or resource busy\nIt is mounted or mapped"),
            0U);
}

TEST(destination, refuses_to_fill_a_file_that_a_loop_device_has) {
  const with_loop folder;
  if (!folder.is_attached()) {
    GTEST_SKIP() << "no loop devices here";
  }
  std::filesystem::create_hard_link(folder.image(), folder / "other");
  EXPECT_EQ(refusal(folder.image()).find(folder.image() + ": is in use: " + folder.loop->path()),
            0U);
  EXPECT_EQ(read_file(folder.image()), std::string(64 * 1024, 'o'));
  // The device keeps the file that it has.
  std::filesystem::remove(folder / "other");
  put(folder.image(), "new");
  EXPECT_EQ(read_file(folder.image()), "new");
  EXPECT_EQ(read_file(folder.loop->path()), std::string(64 * 1024, 'o'));
}

TEST(destination, refuses_a_loop_device_on_the_input) {
  const with_loop folder;
  if (!folder.is_attached()) {
    GTEST_SKIP() << "no loop devices here";
  }
  EXPECT_NE(refusal(folder.loop->path(), folder.image()).find("a loop device on the input"),
            std::string::npos);
  EXPECT_NE(refusal(folder.loop->path(), folder.loop->path()).find("is the input"),
            std::string::npos);
}

}  // namespace
