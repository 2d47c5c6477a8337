#include "base/storage.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;

class storage : public testing::Test {
 protected:
  storage() { base::test::write_file(path_, "bytes"); }

  std::string refusal_of(const std::string& path, int flags) {
    return message_of<base::io_error>([&] {
      base::open_storage(path, {flags, "busy", "missing"});
    });
  }

  base::test::temporary_folder folder_;
  const std::string path_ = folder_ / "file";
};

TEST_F(storage, is_opened_by_a_name_or_a_link) {
  std::filesystem::create_symlink("file", folder_ / "link");
  for (const std::string& path : {path_, folder_ / "link"}) {
    const base::file_handle file = base::open_storage(path, {O_RDONLY | O_EXCL, "", ""});
    EXPECT_TRUE(file.is_open());
    EXPECT_EQ(::fcntl(file.fd(), F_GETFL) & O_NONBLOCK, 0);
    EXPECT_EQ(::fcntl(file.fd(), F_GETFD), FD_CLOEXEC);
  }
}

TEST_F(storage, is_nothing_that_would_have_to_be_waited_for) {
  const std::string fifo = folder_ / "fifo";
  ASSERT_EQ(::mkfifo(fifo.c_str(), 0600), 0);
  for (const int flags : {O_RDONLY, O_RDWR | O_EXCL}) {
    for (const std::string& path : {fifo, folder_ / ".", std::string("/dev/null")}) {
      EXPECT_EQ(refusal_of(path, flags), path + ": Not a block device or regular file");
    }
  }
}

TEST_F(storage, that_is_missing_is_refused_with_advice) {
  EXPECT_EQ(refusal_of(folder_ / "no", O_RDWR),
            (folder_ / "no") + ": No such file or directory\nmissing");
}

TEST_F(storage, is_locked_by_readers_together_and_by_a_writer_alone) {
  const auto open = [&] { return base::open_storage(path_, {O_RDWR, "", ""}); };
  const base::file_handle first = open();
  const base::file_handle second = open();
  base::lock_file(first.fd(), base::lock::for_reading, path_);
  base::lock_file(second.fd(), base::lock::for_reading, path_);
  {
    const base::file_handle writer = open();
    EXPECT_EQ(message_of<base::io_error>(
                  [&] { base::lock_file(writer.fd(), base::lock::for_writing, "FILE"); }),
              "FILE: another program is reading it or writing to it\nWait until that has finished, "
              "or give another file.");
  }
  const std::string other = folder_ / "other";
  base::test::write_file(other, "");
  const base::file_handle writer = base::open_storage(other, {O_RDWR, "", ""});
  base::lock_file(writer.fd(), base::lock::for_writing, other);
  const base::file_handle reader = base::open_storage(other, {O_RDONLY, "", ""});
  EXPECT_EQ(message_of<base::io_error>(
                [&] { base::lock_file(reader.fd(), base::lock::for_reading, "FILE"); }),
            "FILE: another program is writing to it\nWait until that has finished.");
}

}  // namespace
