#include "base/output.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using base::test::read_file;
using base::test::temporary_folder;
using base::test::write_file;

mode_t mode_of(const std::string& path) {
  return base::stat_path(path).st_mode & 07777;
}

TEST(output, appears_under_its_name_only_by_commit) {
  const temporary_folder folder;
  const std::string path = folder / "list";
  base::output out(path);
  out << "a result";
  EXPECT_FALSE(std::filesystem::exists(path));
  out.commit();
  EXPECT_EQ(read_file(path), "a result");
  EXPECT_EQ(folder.names(), std::set<std::string>{"list"});
}

TEST(output, leaves_nothing_behind_when_dropped) {
  const temporary_folder folder;
  {
    base::output out(folder / "list");
    out << std::string(1 << 20, 'x');
  }
  EXPECT_TRUE(folder.names().empty());
}

TEST(output, keeps_the_old_file_until_commit) {
  const temporary_folder folder;
  const std::string path = folder / "list";
  write_file(path, "old");
  {
    base::output dropped(path);
    dropped << "new";
  }
  EXPECT_EQ(read_file(path), "old");
  base::output out(path);
  out << "new";
  EXPECT_EQ(read_file(path), "old");
  out.commit();
  EXPECT_EQ(read_file(path), "new");
  EXPECT_EQ(folder.names(), std::set<std::string>{"list"});
}

TEST(output, keeps_the_mode_of_the_file_it_replaces) {
  const temporary_folder folder;
  const std::string path = folder / "list";
  for (const mode_t mode : {0600, 0640, 0666, 0755}) {
    write_file(path, "old");
    ASSERT_EQ(::chmod(path.c_str(), mode), 0);
    base::output out(path);
    out << "new";
    out.commit();
    EXPECT_EQ(mode_of(path), mode);
  }
}

TEST(output, gives_a_new_file_the_mode_that_the_umask_leaves) {
  const temporary_folder folder;
  const mode_t before = ::umask(027);
  base::output out(folder / "list");
  out.commit();
  ::umask(before);
  EXPECT_EQ(mode_of(folder / "list"), 0640U);
}

TEST(output, replaces_the_file_behind_a_symbolic_link) {
  const temporary_folder folder;
  write_file(folder / "target", "old");
  std::filesystem::create_symlink("target", folder / "link");
  base::output out(folder / "link");
  out << "new";
  out.commit();
  EXPECT_TRUE(std::filesystem::is_symlink(folder / "link"));
  EXPECT_EQ(read_file(folder / "target"), "new");
}

TEST(output, writes_texts_and_numbers_of_any_length) {
  const temporary_folder folder;
  std::string expected;
  base::output out(folder / "list");
  for (std::uint64_t i = 0; i < 60000; ++i) {
    const std::uint64_t number = i % 3 == 0 ? UINT64_MAX - i : i;
    out.number(number) << "\n";
    expected += std::to_string(number) + "\n";
  }
  for (const std::size_t size : {0, 1, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1, 1 << 20}) {
    out << std::string(size, 'a') << "|";
    expected += std::string(size, 'a') + "|";
  }
  out.commit();
  EXPECT_TRUE(read_file(folder / "list") == expected);
}

TEST(output, writes_to_a_fifo_in_place) {
  const temporary_folder folder;
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  const base::file_handle reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  base::output out(path);
  out << "through";
  out.commit();
  char got[8] = {};
  EXPECT_EQ(::read(reader.fd(), got, 7), 7);
  EXPECT_STREQ(got, "through");
  EXPECT_EQ(folder.names(), std::set<std::string>{"fifo"});
}

TEST(output, says_broken_pipe_when_its_reader_has_gone) {
  const auto before = std::signal(SIGPIPE, SIG_IGN);
  const temporary_folder folder;
  const std::string path = folder / "fifo";
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  base::file_handle reader(::open(path.c_str(), O_RDONLY | O_NONBLOCK));
  base::output out(path);
  reader.close(path);
  out << "nobody reads this";
  EXPECT_THROW(out.commit(), base::broken_pipe);
  std::signal(SIGPIPE, before);
}

TEST(output, goes_to_standard_output_by_default) {
  for (const char* const path : {"", "-"}) {
    testing::internal::CaptureStdout();
    base::output out(path);
    out << "text";
    out.number(7);
    out.commit();
    EXPECT_EQ(testing::internal::GetCapturedStdout(), "text7");
  }
}

TEST(output, reports_a_full_device_at_the_latest_by_commit) {
  base::output small("/dev/full");
  small << "x";
  EXPECT_NE(message_of<base::io_error>([&] { small.commit(); }).find("/dev/full: No space"),
            std::string::npos);
  base::output large("/dev/full");
  EXPECT_THROW(large << std::string(1 << 20, 'x'), base::io_error);
}

TEST(output, refuses_a_folder_that_does_not_exist) {
  const temporary_folder folder;
  const std::string path = folder / "missing/list";
  EXPECT_EQ(message_of<base::io_error>([&] { base::output out(path); }),
            path + ": No such file or directory");
}

TEST(output, refuses_a_folder_as_file) {
  const temporary_folder folder;
  const std::string path = folder / ".";
  EXPECT_EQ(message_of<base::io_error>([&] { base::output out(path); }), path + ": Is a directory");
}

TEST(output, refuses_to_write_over_the_input_under_any_name) {
  const temporary_folder folder;
  const std::string input = folder / "input";
  write_file(input, "precious");
  std::filesystem::create_symlink("input", folder / "symbolic");
  std::filesystem::create_hard_link(input, folder / "hard");
  for (const char* const name : {"input", "symbolic", "hard"}) {
    const std::string path = folder / name;
    EXPECT_NE(message_of<base::io_error>([&] {
                base::output out(path, input);
              }).find(path + ": is the input"),
              std::string::npos);
  }
  EXPECT_EQ(read_file(input), "precious");
  base::output elsewhere(folder / "other", input);
  elsewhere.commit();
}

}  // namespace
