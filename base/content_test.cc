#include "base/content.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "base/storage.h"

namespace {

class content : public testing::Test {
 protected:
  std::string of(const std::string& bytes) {
    base::test::write_file(path_, bytes);
    const base::file_handle file = base::open_storage(path_, {O_RDONLY, "", ""});
    return base::content_of(file.fd());
  }

  // A megabyte of zeros with something at a place.
  static std::string with(std::size_t at, const std::string& bytes) {
    std::string all(1 << 20, '\0');
    return all.replace(at, bytes.size(), bytes);
  }

  base::test::temporary_folder folder_;
  const std::string path_ = folder_ / "file";
};

TEST_F(content, is_nothing_where_nothing_is_known) {
  for (const std::size_t size : {0, 1, 511, 512, 4095, 4096, 5000, 1 << 20}) {
    EXPECT_EQ(of(std::string(size, '\0')), "") << size;
    EXPECT_EQ(of(std::string(size, 'x')), "") << size;
  }
}

TEST_F(content, is_told_of_files) {
  EXPECT_EQ(of(with(257, "ustar")), "a tar archive");
  EXPECT_EQ(of(with(0, "\x1f\x8b\x08")), "a gzip file");
  EXPECT_EQ(of("\x1f\x8b\x08"), "a gzip file");
  EXPECT_EQ(of(with(0, "\x28\xb5\x2f\xfd")), "a zstd file");
  EXPECT_EQ(of(with(0, std::string("\xfd\x37zXZ\0", 6))), "an xz file");
  EXPECT_EQ(of("<superblock uuid=\"\">"), "an XML document");
  EXPECT_EQ(of("\xEF\xBB\xBF\n <?xml?>"), "an XML document");
  EXPECT_EQ(of("< 5"), "");
}

TEST_F(content, is_told_of_file_systems_and_volumes) {
  // The magic numbers alone, where libblkid asks for no more.
  EXPECT_EQ(of(with(0, std::string("LUKS\xba\xbe\0\1", 8))), "a LUKS volume");
  EXPECT_EQ(of(with(4086, "SWAPSPACE2").replace(1024, 8, std::string("\1\0\0\0d\0\0\0", 8))),
            "swap space");
}

TEST_F(content, is_told_of_partition_tables) {
  std::string entry(16, '\0');
  entry[4] = '\x83';
  entry[8] = 8;    // first sector
  entry[12] = 64;  // sectors
  std::string all = with(446, entry);
  all.replace(510, 2, "\x55\xaa");
  EXPECT_EQ(of(all), "an MBR partition table");
}

TEST_F(content, is_read_without_changing_how_the_descriptor_reads) {
  base::test::write_file(path_, std::string(8192, 'x'));
  const base::file_handle file = base::open_storage(path_, {O_RDONLY, "", ""});
  const int before = ::fcntl(file.fd(), F_GETFL);
  base::content_of(file.fd());
  EXPECT_EQ(::fcntl(file.fd(), F_GETFL), before);
}

}  // namespace
