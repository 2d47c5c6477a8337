#include "era/format/superblock.h"

#include <gtest/gtest.h>

#include "era/read/metadata_test_support.h"

namespace {

using base::get_le32;
using base::get_le64;
using base::put_le32;
using era::superblock;

// A different value in every field.
superblock example() {
  superblock s;
  s.flags = 1;
  s.location = 0;
  s.space_map = {0x1111111111, 0x2222222222, 0x3333333333, 0x4444444444};
  s.data_block_size = 128;
  s.nr_blocks = 1000;
  s.current_era = 17;
  s.current_nr_bits = 900;
  s.current_root = 0x5555555555;
  s.writeset_tree_root = 0x6666666666;
  s.era_array_root = 0x7777777777;
  s.metadata_snap = 0x8888888888;
  return s;
}

TEST(superblock, fields_lie_where_the_format_says) {
  pd::block_buffer buffer(1);
  const std::byte* const block = buffer.block(0);
  encode_superblock(example(), buffer.block(0));
  EXPECT_EQ(get_le32(block + 4), 1U);
  EXPECT_EQ(get_le64(block + 8), 0U);
  EXPECT_EQ(get_le64(block + 32), 0x7EC1077BU);
  EXPECT_EQ(get_le32(block + 40), 1U);
  EXPECT_EQ(get_le64(block + 44), 0x1111111111U);
  EXPECT_EQ(get_le64(block + 52), 0x2222222222U);
  EXPECT_EQ(get_le64(block + 60), 0x3333333333U);
  EXPECT_EQ(get_le64(block + 68), 0x4444444444U);
  EXPECT_EQ(get_le32(block + 172), 128U);
  EXPECT_EQ(get_le32(block + 176), 8U);
  EXPECT_EQ(get_le32(block + 180), 1000U);
  EXPECT_EQ(get_le32(block + 184), 17U);
  EXPECT_EQ(get_le32(block + 188), 900U);
  EXPECT_EQ(get_le64(block + 192), 0x5555555555U);
  EXPECT_EQ(get_le64(block + 200), 0x6666666666U);
  EXPECT_EQ(get_le64(block + 208), 0x7777777777U);
  EXPECT_EQ(get_le64(block + 216), 0x8888888888U);
}

TEST(superblock, leaves_everything_else_zero) {
  pd::block_buffer buffer(1);
  encode_superblock(example(), buffer.block(0));
  for (std::size_t at = 0; at < pd::block_size; ++at) {
    const bool field = (at >= 4 && at < 16) || (at >= 32 && at < 76) || (at >= 172 && at < 224);
    EXPECT_TRUE(field || buffer.block(0)[at] == std::byte{0}) << at;
  }
}

TEST(superblock, comes_back_as_it_was_written) {
  pd::block_buffer first(1);
  pd::block_buffer second(1);
  encode_superblock(example(), first.block(0));
  const superblock s = era::decode_superblock(first.block(0));
  EXPECT_EQ(s.current_era, 17U);
  EXPECT_EQ(s.metadata_snap, 0x8888888888U);
  EXPECT_TRUE(s.current_open());
  encode_superblock(s, second.block(0));
  EXPECT_EQ(std::memcmp(first.block(0), second.block(0), pd::block_size), 0);
}

TEST(superblock, of_the_small_image_has_the_sum_in_the_format) {
  superblock s;
  s.space_map = {256, 11, 1, 2};
  s.data_block_size = 128;
  s.nr_blocks = 10;
  s.current_era = 5;
  s.writeset_tree_root = 4;
  s.era_array_root = 5;
  pd::block_buffer buffer(1);
  encode_superblock(s, buffer.block(0));
  pd::seal_block(era::superblock_block, 0, buffer.block(0));
  EXPECT_EQ(get_le32(buffer.block(0)), 0xD1B92FA4U);
}

class check_superblock : public testing::Test {
 protected:
  check_superblock() { encode_superblock(example(), block()); }

  std::byte* block() { return buffer_.block(0); }

  bool check(pd::block_nr where = 0) {
    recorder_.problems.clear();
    pd::seal_block(era::superblock_block, where, block());
    return check_as_it_is(where);
  }

  bool check_as_it_is(pd::block_nr where = 0) {
    return era::check_superblock(block(), {era::structure::superblock, where != 0}, where,
                                 recorder_);
  }

  void expect_fatal(const char* name) {
    EXPECT_FALSE(check());
    EXPECT_EQ(recorder_.names(), std::vector<std::string>{name});
  }

  void expect_error(const char* name) {
    EXPECT_TRUE(check());
    EXPECT_EQ(recorder_.names(), std::vector<std::string>{name});
    EXPECT_EQ(era::row_of(recorder_.problems[0].code).how_bad, era::severity::error);
  }

  void expect_remark(const char* name) {
    EXPECT_TRUE(check());
    EXPECT_EQ(recorder_.names(), std::vector<std::string>{name});
    EXPECT_EQ(era::row_of(recorder_.problems[0].code).how_bad, era::severity::remark);
  }

  pd::block_buffer buffer_{1};
  era::test::problem_recorder recorder_;
};

TEST_F(check_superblock, passes_a_good_one) {
  EXPECT_TRUE(check());
  EXPECT_TRUE(recorder_.problems.empty()) << recorder_.text();
  put_le32(block() + 4, 0);
  EXPECT_TRUE(check());
  EXPECT_TRUE(recorder_.problems.empty());
}

TEST_F(check_superblock, passes_a_snapshots_copy_in_its_own_place) {
  EXPECT_TRUE(check(77));
  EXPECT_TRUE(recorder_.problems.empty());
}

TEST_F(check_superblock, finds_a_wrong_checksum_and_looks_no_further) {
  check();
  put_le32(block() + 40, 2);
  EXPECT_FALSE(check_as_it_is());
  EXPECT_EQ(recorder_.names(), std::vector<std::string>{"superblock-checksum"});
}

TEST_F(check_superblock, finds_one_that_was_written_for_another_place) {
  check(5);
  EXPECT_FALSE(check_as_it_is(0));
  EXPECT_EQ(recorder_.names(), std::vector<std::string>{"superblock-number"});
}

TEST_F(check_superblock, finds_another_magic) {
  put_le32(block() + 32, 1);
  expect_fatal("superblock-magic");
  put_le32(block() + 32, 0x7EC1077B);
  put_le32(block() + 36, 1);
  expect_fatal("superblock-magic");
}

TEST_F(check_superblock, finds_unknown_versions) {
  for (const std::uint32_t version : {0U, 2U, UINT32_MAX}) {
    put_le32(block() + 40, version);
    expect_fatal("superblock-version");
  }
}

TEST_F(check_superblock, finds_more_data_blocks_than_a_device_can_have) {
  put_le32(block() + 180, 0x7FFFFFFF);
  EXPECT_TRUE(check());
  put_le32(block() + 180, 0x80000000);
  expect_fatal("superblock-nr-blocks");
}

TEST_F(check_superblock, finds_another_metadata_block_size) {
  for (const std::uint32_t size : {0U, 4U, 16U}) {
    put_le32(block() + 176, size);
    expect_fatal("superblock-metadata-block-size");
  }
}

TEST_F(check_superblock, finds_roots_that_cannot_be) {
  for (const auto& [tree, array] : {std::pair{0U, 5U}, {5U, 0U}, {0U, 0U}, {5U, 5U}}) {
    base::put_le64(block() + 200, tree);
    base::put_le64(block() + 208, array);
    expect_fatal("superblock-roots");
  }
}

TEST_F(check_superblock, finds_odd_data_block_sizes) {
  for (const std::uint32_t size : {0U, 1U, 12U, 127U}) {
    put_le32(block() + 172, size);
    expect_error("superblock-block-size");
  }
}

TEST_F(check_superblock, finds_more_bytes_than_can_be_counted) {
  put_le32(block() + 172, 0xFFFFFFF8);
  put_le32(block() + 180, 0x7FFFFFFF);
  expect_error("superblock-block-size");
  put_le32(block() + 180, 0x00800000);
  EXPECT_TRUE(check());
  EXPECT_TRUE(recorder_.problems.empty()) << recorder_.text();
}

TEST_F(check_superblock, finds_eras_of_a_device_without_blocks) {
  put_le32(block() + 180, 0);
  expect_error("superblock-nr-blocks");
  put_le32(block() + 184, 0);        // the current era
  base::put_le64(block() + 192, 0);  // and its writeset
  EXPECT_TRUE(check());
  EXPECT_TRUE(recorder_.problems.empty()) << "formatted, never resumed";
}

TEST_F(check_superblock, remarks_on_unknown_flags) {
  for (const std::uint32_t flags : {2U, 3U, 0x80000000U}) {
    put_le32(block() + 4, flags);
    expect_remark("superblock-flags");
  }
}

TEST_F(check_superblock, remarks_on_bytes_that_should_be_zero) {
  for (const std::size_t at : {76U, 100U, 171U, 224U, 2000U, 4095U}) {
    block()[at] = std::byte{1};
    expect_remark("superblock-reserved");
    block()[at] = std::byte{0};
  }
}

TEST_F(check_superblock, says_what_else_is_wrong_too) {
  put_le32(block() + 4, 2);
  put_le32(block() + 40, 2);
  put_le32(block() + 176, 0);
  EXPECT_FALSE(check());
  EXPECT_EQ(recorder_.names(),
            (std::vector<std::string>{"superblock-version", "superblock-metadata-block-size",
                                      "superblock-flags"}));
}

TEST(describe_foreign_superblock, tells_what_lies_there_instead) {
  pd::block_buffer buffer(1);
  std::byte* const block = buffer.block(0);
  std::string content;
  const auto described = [&] { return era::describe_foreign_superblock(block, content); };
  EXPECT_NE(described().find("all bytes are zero"), std::string::npos);
  block[4000] = std::byte{1};
  EXPECT_EQ(described(), "the magic number of era metadata is not there either");
  content = "an ext4 file system";
  EXPECT_EQ(described(), "this looks like an ext4 file system, not era metadata");
  base::put_le64(block + 32, era::superblock_magic);
  EXPECT_EQ(described(), "the magic number of era metadata is there, so it is damaged");
  put_le32(block, pd::body_crc(block) ^ 160774);
  EXPECT_NE(described().find("thin pool"), std::string::npos);
  put_le32(block, pd::body_crc(block) ^ 9031977);
  EXPECT_NE(described().find("cache"), std::string::npos);
  std::memcpy(block, era::restore_mark.data(), era::restore_mark.size());
  EXPECT_NE(described().find("interrupted era_restore"), std::string::npos);
}

TEST(foreign_content, is_what_is_no_metadata_in_any_state) {
  pd::block_buffer buffer(1);
  std::byte* const block = buffer.block(0);
  const std::string content = "an ext4 file system";
  EXPECT_EQ(era::foreign_content(block, content), content);
  EXPECT_EQ(era::foreign_content(block, ""), "");
  base::put_le64(block + 32, era::superblock_magic);
  EXPECT_EQ(era::foreign_content(block, content), "");
  put_le32(block, pd::body_crc(block) ^ 160774);
  EXPECT_EQ(era::foreign_content(block, ""), "the metadata of a thin pool");
  put_le32(block, pd::body_crc(block) ^ era::superblock_block.salt);
  EXPECT_EQ(era::foreign_content(block, content), "");
  std::memcpy(block, era::restore_mark.data(), era::restore_mark.size());
  EXPECT_EQ(era::foreign_content(block, content), "");
}

TEST(restore_mark, is_no_superblock_and_not_zero) {
  pd::block_buffer buffer(1);
  std::memcpy(buffer.block(0), era::restore_mark.data(), era::restore_mark.size());
  era::test::problem_recorder recorder;
  EXPECT_FALSE(era::check_superblock(buffer.block(0), {}, 0, recorder));
  EXPECT_EQ(recorder.names(), std::vector<std::string>{"superblock-checksum"});
}

}  // namespace
