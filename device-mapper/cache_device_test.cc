#include "device-mapper/cache_device.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;

// As Linux 6.1 prints it.
constexpr const char* passthrough =
    "8 10/1024 64 107/512 884 396 83 0 1 107 43 2 metadata2 passthrough 2 migration_threshold "
    "2048000 smq 0 rw -";

TEST(cache_device, a_table_names_three_devices_and_the_block_size) {
  const dm::cache_table table =
      dm::parse_cache_table("c", "253:1 253:2 253:3 64 1 passthrough smq 0");
  EXPECT_EQ(table.metadata, "253:1");
  EXPECT_EQ(table.fast, "253:2");
  EXPECT_EQ(table.origin, "253:3");
  EXPECT_EQ(table.block_size, 64U);
}

TEST(cache_device, a_status_is_taken_apart) {
  const dm::cache_status status = dm::parse_cache_status("c", passthrough);
  EXPECT_FALSE(status.has_failed);
  EXPECT_EQ(status.nr_blocks, 512U);
  EXPECT_EQ(status.nr_mapped, 107U);
  EXPECT_EQ(status.nr_dirty, 43U);
  EXPECT_TRUE(status.has_feature("passthrough"));
  EXPECT_TRUE(status.has_feature("metadata2"));
  EXPECT_FALSE(status.has_feature("writeback"));
  EXPECT_FALSE(status.is_read_only);
  EXPECT_FALSE(status.needs_check);
}

TEST(cache_device, a_status_says_what_is_wrong) {
  EXPECT_TRUE(dm::parse_cache_status("c", "Fail").has_failed);
  EXPECT_TRUE(dm::parse_cache_status("c", "Error").has_failed);
  const dm::cache_status status = dm::parse_cache_status(
      "c", "8 8/1024 64 107/512 1 2 3 4 5 6 0 1 writethrough 0 smq 1 x ro needs_check");
  EXPECT_TRUE(status.is_read_only);
  EXPECT_TRUE(status.needs_check);
}

TEST(cache_device, words_that_are_missing_or_no_numbers_are_refused) {
  const std::string whole = passthrough;
  for (std::size_t end = 0; end < whole.size(); ++end) {
    if (whole[end] == ' ') {
      EXPECT_EQ(
          message_of<base::data_error>([&] { dm::parse_cache_status("c", whole.substr(0, end)); }),
          "c: its status is not that of a cache as it is known: " + whole.substr(0, end));
    }
  }
  EXPECT_NE(message_of<base::data_error>([] { dm::parse_cache_table("c", "1:1 1:2 1:3 x"); }), "");
  EXPECT_NE(message_of<base::data_error>([] { dm::parse_cache_table("c", "1:1 1:2"); }), "");
}

}  // namespace
