// Table lines, and what a target says of them before it is there (doc/target.md 2).
#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using era::superblock;
using era::table_line;
using era::test::eras_of;
using era::test::problems_of;
using era::test::table_of;
using era::test::test_devices;
using era::test::write;

constexpr pd::block_nr metadata_blocks = 64;

// ---- tables ----

std::string refusal_of(const std::string& table) {
  return message_of<era::refused>([&] { era::parse_table_line(table); });
}

TEST(table_line, is_taken_apart) {
  const table_line table = era::parse_table_line("0  131072 era /dev/vda\t253:1 128");
  EXPECT_EQ(table.length, 131072U);
  EXPECT_EQ(table.metadata, "/dev/vda");
  EXPECT_EQ(table.origin, "253:1");
  EXPECT_EQ(table.block_size, "128");
}

TEST(table_line, has_three_arguments) {
  EXPECT_EQ(refusal_of("0 800 era"),
            "Invalid argument count: after the word era, <metadata dev> <origin dev> <block size> "
            "are expected, not 0 words");
  EXPECT_EQ(refusal_of("0 800 era meta data"),
            "Invalid argument count: after the word era, <metadata dev> <origin dev> <block size> "
            "are expected, not 2 words");
  EXPECT_EQ(refusal_of("0 800 era meta data 8 9"),
            "Invalid argument count: after the word era, <metadata dev> <origin dev> <block size> "
            "are expected, not 4 words");
}

TEST(table_line, begins_with_a_length_from_sector_0_and_the_target_type) {
  for (const char* const table :
       {"", "0 800", "8 800 era meta data 8", "x 800 era meta data 8", "0 0 era meta data 8",
        "0 -8 era meta data 8", "0 8x era meta data 8", "0 36028797018963968 era meta data 8"}) {
    EXPECT_EQ(refusal_of(table).find("Invalid table line: "), 0U) << table;
  }
  EXPECT_EQ(refusal_of("0 800 linear data 0"), "unknown target type: linear");
}

// ---- construction ----

// Each has the fault named and all those that the kernel looks for later.
TEST(construction, looks_for_faults_in_the_kernels_order) {
  const std::vector<std::pair<table_line, std::string>> faults = {
      {{800, "no", "no", "x"}, "Error opening metadata device: no: No such file or directory"},
      {{800, "meta", "no", "x"}, "Error opening data device: no: No such file or directory"},
      {{800, "meta", "data", "-8"}, "Error parsing block size: "},
      {{800, "meta", "data", "8x"}, "Error parsing block size: "},
      {{800, "meta", "data", ""}, "Error parsing block size: "},
      {{800, "meta", "data", "4294967296"}, "Invalid block size: "},
      {{800, "meta", "data", "0"}, "Invalid block size: "},
      {{800, "meta", "data", "7"}, "Invalid block size: "},
      {{800, "meta", "data", "12"}, "Invalid block size: "},
      {{801, "meta", "data", "8"},
       "Error opening data device: data: too small for target: 800 sectors of 801"}};
  test_devices devices(metadata_blocks, 800);
  devices.stable.block(0)[100] = std::byte{1};
  for (const auto& fault : faults) {
    EXPECT_EQ(message_of<era::refused>([&] {
                era::target(fault.first, devices);
              }).substr(0, fault.second.size()),
              fault.second);
  }
  EXPECT_EQ(devices.metadata_device.writes_seen(), 0U);
}

TEST(construction, refuses_more_data_blocks_than_metadata_can_hold) {
  constexpr std::uint64_t most_sectors = era::max_data_blocks * 8;
  // An origin of 8 TiB.
  class huge_origin final : public era::origin {
   public:
    const std::string& name() const override { return name_; }
    std::uint64_t nr_sectors() const override { return 2 * most_sectors; }
    void read(std::uint64_t, std::span<std::byte>) override {}
    void write(std::uint64_t, std::span<const std::byte>) override {}
    void discard(std::uint64_t, std::uint64_t) override {}
    void flush() override {}

   private:
    std::string name_ = "huge";
  };
  class devices_with_it final : public era::device_finder {
   public:
    pd::block_device& metadata(const std::string&) override { return metadata_; }
    era::origin& origin(const std::string&) override { return origin_; }

   private:
    pd::memory_device metadata_{metadata_blocks};
    huge_origin origin_;
  } devices;
  EXPECT_EQ(era::target(table_of(most_sectors, 8), devices).nr_blocks(), 2147483647U);
  EXPECT_EQ(message_of<era::refused>([&] { era::target(table_of(most_sectors + 1, 8), devices); }),
            "Invalid block size: the device would have 2147483648 data blocks, more than "
            "2147483647");
}

TEST(construction, formats_a_device_without_data_blocks_or_eras) {
  test_devices devices(metadata_blocks, 800);
  const era::target made(table_of(800, 24), devices);
  const superblock s = devices.on_disk();
  EXPECT_EQ(s.data_block_size, 24U);
  EXPECT_EQ(s.nr_blocks, 0U);
  EXPECT_EQ(s.current_era, 0U);
  EXPECT_EQ(s.current_nr_bits, 0U);
  EXPECT_FALSE(s.current_open());
  EXPECT_EQ(s.metadata_snap, pd::no_block);
  EXPECT_EQ(s.space_map.nr_blocks, metadata_blocks);
  EXPECT_EQ(s.space_map.nr_allocated, 6U);
  EXPECT_EQ(problems_of(devices.stable), "");
  EXPECT_FALSE(made.is_running());
}

TEST(construction, formats_where_the_superblock_is_zero_whatever_stands_elsewhere) {
  test_devices devices(metadata_blocks, 800);
  {
    era::target earlier(table_of(800, 8), devices);
    earlier.resume();
    write(earlier, 0, 800);
    earlier.suspend();
  }
  // Metadata of old, and noise.
  std::memset(devices.stable.block(0), 0, pd::block_size);
  std::memset(devices.stable.block(20), 0x5A, (metadata_blocks - 20) * pd::block_size);
  era::target target(table_of(800, 16), devices);
  EXPECT_EQ(problems_of(devices.stable), "");
  target.resume();
  EXPECT_EQ(eras_of(devices.stable), std::vector<std::uint32_t>(50));
  EXPECT_EQ(problems_of(devices.stable), "");
}

TEST(construction, refuses_a_superblock_that_is_neither_zero_nor_valid) {
  for (const std::size_t at : {0U, 40U, 4095U}) {
    test_devices devices(metadata_blocks, 800);
    devices.stable.block(0)[at] = std::byte{1};
    EXPECT_EQ(message_of<era::refused>([&] {
                era::target(table_of(800, 8), devices);
              }).find("Error reading metadata: meta: "),
              0U);
    EXPECT_EQ(devices.metadata_device.writes_seen(), 0U);
  }
}

TEST(construction, refuses_a_valid_superblock_with_an_unknown_version) {
  test_devices devices(metadata_blocks, 800);
  era::target(table_of(800, 8), devices);
  pd::test::change_block(devices.stable, era::superblock_block, 0,
                         [](std::byte* block) { block[40] = std::byte{2}; });
  EXPECT_THROW(era::target(table_of(800, 8), devices), era::refused);
}

TEST(construction, refuses_a_metadata_device_without_a_whole_block) {
  test_devices devices(0, 800);
  EXPECT_EQ(message_of<era::refused>([&] { era::target(table_of(800, 8), devices); }),
            "Error reading metadata: meta: the metadata device has no whole block of 4096 bytes.");
}

TEST(construction, refuses_another_block_size_than_the_stored_one) {
  test_devices devices(metadata_blocks, 12800);
  era::target(table_of(12800, 128), devices);
  EXPECT_EQ(message_of<era::refused>([&] { era::target(table_of(12800, 64), devices); }),
            "Error reading metadata: changing the data block size (from 128 to 64) is not "
            "supported");
  EXPECT_EQ(devices.on_disk().data_block_size, 128U);
}

TEST(construction, counts_a_partial_last_block) {
  for (const auto& [sectors, size, blocks] : {std::tuple{800U, 8U, 100U},
                                              {793U, 8U, 100U},
                                              {792U, 8U, 99U},
                                              {1U, 8U, 1U},
                                              {800U, 24U, 34U},
                                              {792U, 24U, 33U},
                                              {799U, 200U, 4U},
                                              {800U, 4294967288U, 1U}}) {
    test_devices devices(metadata_blocks, 800);
    era::target target(table_of(sectors, size), devices);
    target.resume();
    EXPECT_EQ(target.nr_blocks(), blocks);
    EXPECT_EQ(devices.on_disk().nr_blocks, blocks);
    EXPECT_EQ(devices.on_disk().current_nr_bits, blocks);
  }
}

}  // namespace
