#include "era/simulation/simulator.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <sstream>

#include "base/file_test_support.h"
#include "era/simulation/simulated_files.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using base::test::read_file;
using base::test::temporary_folder;
using pd::test::change_block;
using pd::test::child_of;

constexpr char create[] = "create 0 800 era meta data 8";

class simulator : public testing::Test {
 protected:
  simulator() {
    run("device meta 800");
    run("device data 1600");
  }

  void run(const std::string& line) { simulator_.run(era::parse_command(line).value()); }

  void run_all(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      SCOPED_TRACE(line);
      ASSERT_NO_THROW(run(line));
    }
  }

  // All that was printed. Nothing more may be run after it.
  std::string output() {
    out_.commit();
    return read_file(folder_ / "out");
  }

  std::vector<std::string>& origin_log() { return devices_.data("data").log; }
  era::superblock on_disk() { return era::decode_superblock(devices_.stable("meta").block(0)); }

  temporary_folder folder_;
  base::output out_{folder_ / "out"};
  era::test::memory_devices devices_;
  era::simulator simulator_{devices_, out_, true};
};

TEST_F(simulator, prints_status_and_table_as_dmsetup_does) {
  run_all({create, "write 0 8", "status", "message checkpoint", "table", "settle", "status",
           "status", "suspend", "table"});
  EXPECT_EQ(output(),
            "0 800 era 8 9/100 1 -\n"
            "0 800 era meta data 8\n"
            "0 800 era 8 9/100 2 -\n"
            "0 800 era 8 9/100 2 -\n"
            "0 800 era meta data 8\n");
}

TEST_F(simulator, prints_the_first_line_of_an_expected_error) {
  run_all({"! create 0 800 era none data 8", "! create 0 800 era meta data", create,
           "! message hello", "- message drop_metadata_snap", "! write 800 1",
           "! create 0 8 era a b 8", "suspend", "! status", "! device meta 8"});
  EXPECT_EQ(
      output(),
      "Error opening metadata device: none: No such file or directory\n"
      "Invalid argument count: after the word era, <metadata dev> <origin dev> <block size> are "
      "expected, not 2 words\n"
      "unsupported message 'hello'\n"
      "no snap to drop\n"
      "the request goes beyond the end of the device, sector 800\n"
      "Device or resource busy: a device has been created already; remove it first\n"
      "the target is suspended: it takes no request, message or status before it is resumed\n"
      "meta: File exists\n");
}

TEST_F(simulator, stops_at_an_error_that_is_not_expected) {
  EXPECT_EQ(message_of<era::refused>([&] { run("create 0 800 era none data 8"); }),
            "Error opening metadata device: none: No such file or directory");
  run(create);
  EXPECT_EQ(message_of<era::refused>([&] { run("message hello"); }), "unsupported message 'hello'");
  EXPECT_EQ(output(), "");
}

TEST_F(simulator, stops_where_an_expected_error_does_not_come) {
  EXPECT_EQ(message_of<base::data_error>([&] { run("! " + std::string(create)); }),
            "'! create 0 800 era meta data 8': it succeeded");
  EXPECT_EQ(message_of<base::data_error>([&] { run("!flush"); }), "'! flush': it succeeded");
  run("- flush");
}

TEST_F(simulator, needs_a_device_for_all_that_is_done_to_one) {
  for (const char* const line :
       {"resume", "suspend", "reload 0 8 era meta data 8", "remove", "write 0 8",
        "write_zeroes 0 8", "discard 0 8", "read 0 8", "flush", "message checkpoint", "status",
        "table", "step", "settle"}) {
    EXPECT_EQ(message_of<era::refused>([&] { run(line); }),
              "No such device or address: no device has been created")
        << line;
  }
  run_all({"power_cut", "power_cut_after 1000", create, "remove"});
  EXPECT_THROW(run("flush"), era::refused);
}

TEST_F(simulator, sends_requests_in_sectors) {
  run_all({create, "write 3 10", "write_zeroes 0 8", "discard 40 16", "read 1 5", "flush"});
  EXPECT_EQ(origin_log(), (std::vector<std::string>{"write 3 10", "write 0 8", "discard 40 16",
                                                    "read 1 5", "flush"}));
}

TEST_F(simulator, writes_each_time_something_else) {
  run_all({create, "write 0 2", "write 1 1"});
  const std::vector<std::byte> all = devices_.data("data").contents();
  EXPECT_NE(std::memcmp(all.data(), all.data() + 512, 512), 0);
  EXPECT_NE(std::memcmp(all.data(), all.data() + 1024, 512), 0);
  EXPECT_NE(std::memcmp(all.data() + 512, all.data() + 1024, 512), 0);
}

TEST_F(simulator, marks_all_parts_of_a_large_write_in_one_commit) {
  run_all({"device large 100000", "create 0 100000 era meta large 200"});
  const std::uint64_t before = devices_.faulty("meta").writes_seen();
  run("write 7 1");
  const std::uint64_t one = devices_.faulty("meta").writes_seen() - before;
  run_all({"message checkpoint", "write 7 1"});
  const std::uint64_t between = devices_.faulty("meta").writes_seen();
  run("write 300 90000");
  EXPECT_EQ(devices_.faulty("meta").writes_seen() - between, one);
  EXPECT_EQ(devices_.data("large").log.size(), 8U) << "three, five and a half parts";
  run_all({"read 0 100000", "remove"});
}

TEST_F(simulator, digests_as_many_steps_as_asked_for) {
  run_all({create, "message checkpoint", "step", "power_cut", create, "step 3", "status", "settle",
           "status", "remove"});
  EXPECT_EQ(era::test::archived_in(devices_.stable("meta")), (std::vector<std::uint32_t>{3}));
}

TEST_F(simulator, takes_a_reloaded_table_at_the_resume) {
  run_all({create, "write 0 8", "suspend", "reload 0 1600 era meta data 8", "table", "resume",
           "table", "write 1592 8", "reload 0 8 era meta data 8", "write 800 8",
           "! reload 0 8 era meta data 16", "resume", "! write 8 1", "remove"});
  EXPECT_EQ(output(),
            "0 800 era meta data 8\n"
            "0 1600 era meta data 8\n"
            "Error reading metadata: changing the data block size (from 8 to 16) is not "
            "supported\n"
            "the request goes beyond the end of the device, sector 8\n");
  EXPECT_EQ(on_disk().nr_blocks, 1U);
}

TEST_F(simulator, archives_what_a_power_cut_left_open_with_the_next_table) {
  run_all({create, "write 40 8", "power_cut 3"});
  EXPECT_THROW(run("flush"), era::refused) << "the device has gone";
  EXPECT_TRUE(on_disk().current_open());
  run_all({create, "remove"});
  EXPECT_EQ(era::test::eras_of(devices_.stable("meta"))[5], 1U);
}

TEST_F(simulator, carries_out_no_part_of_a_write_that_is_refused) {
  run_all({"device large 40000", "create 0 40000 era meta large 8", "! write 16 40000",
           "! write 0 100000", "write 39000 8"});
  EXPECT_EQ(devices_.data("large").log, (std::vector<std::string>{"write 39000 8"}));
  run("remove");
}

TEST_F(simulator, carries_out_no_part_of_a_write_later_that_failed) {
  run_all({"device large 40000", "create 0 40000 era meta large 8", "write 20000 8"});
  devices_.data("large").fails = true;
  run("! write 0 40000");
  devices_.data("large").fails = false;
  devices_.data("large").log.clear();
  run("write 39000 8");
  EXPECT_EQ(devices_.data("large").log, (std::vector<std::string>{"write 39000 8"}));
}

TEST_F(simulator, writes_to_the_old_metadata_until_the_resume_takes_the_new) {
  run_all({"device meta2 800", create, "write 8 8", "reload 0 800 era meta2 data 8", "write 0 8",
           "message checkpoint", "resume", "write 16 8", "remove"});
  EXPECT_EQ(era::test::eras_of(devices_.stable("meta"))[0], 1U);
  EXPECT_EQ(era::test::eras_of(devices_.stable("meta2"))[2], 1U);
}

TEST_F(simulator, takes_no_request_or_message_while_suspended_whatever_it_is) {
  run_all({create, "suspend", "! write 100000 8", "! discard 100000 8", "! message hello",
           "- message checkpoint", "! write 0 8", "remove"});
}

// ---- verification ----

class planted_difference : public simulator {
 protected:
  // Era 1 holds block 3, era 2 holds block 4; both are archived, and era 2 is over.
  planted_difference() {
    run_all({create, "write 24 8", "message checkpoint", "write 32 8", "remove"});
  }

  void change_array(std::uint32_t block, std::uint32_t era) {
    pd::memory_device& device = devices_.stable("meta");
    change_block(device, pd::array_block, child_of(device, on_disk().era_array_root, 0),
                 [&](std::byte* bytes) { base::put_le32(bytes + 24 + 4 * block, era); });
  }

  // The bitset of the first archived era.
  void change_bits(std::uint64_t bits) {
    pd::memory_device& device = devices_.stable("meta");
    const pd::node_view tree(device.block(on_disk().writeset_tree_root));
    const pd::block_nr root = base::get_le64(tree.value(0) + 4);
    change_block(device, pd::array_block, child_of(device, root, 0),
                 [&](std::byte* bytes) { base::put_le64(bytes + 24, bits); });
  }

  // What the verification at the end throws, and prints.
  void expect_found(const std::string& count, const std::string& lines) {
    EXPECT_EQ(
        message_of<base::data_error>([&] { simulator_.finish(); }),
        "meta: " + count + " between what was written and the metadata, listed on standard output");
    EXPECT_EQ(output(), lines);
  }
};

TEST_F(planted_difference, is_not_there_before_it_is_planted) {
  EXPECT_NO_THROW(simulator_.finish());
  EXPECT_EQ(output(), "");
}

TEST_F(planted_difference, is_a_lost_mark) {
  change_bits(0);
  expect_found("1 difference", "meta: block 3: last written in era 1, but found in era 0\n");
}

TEST_F(planted_difference, is_a_mark_too_many) {
  change_bits(0x88);
  expect_found("1 difference", "meta: block 7: last written in era 0, but found in era 1\n");
}

TEST_F(planted_difference, is_a_newer_era_in_the_array) {
  change_array(98, 1);
  change_array(99, 1);
  expect_found("2 differences",
               "meta: block 98: last written in era 0, but found in era 1\n"
               "meta: block 99: last written in era 0, but found in era 1\n");
}

TEST_F(planted_difference, is_another_era_counter) {
  change_block(devices_.stable("meta"), era::superblock_block, 0,
               [](std::byte* block) { base::put_le32(block + 184, 3); });
  expect_found("1 difference", "meta: the current era is 3, not 2\n");
}

TEST_F(planted_difference, is_metadata_that_is_gone) {
  std::memset(devices_.stable("meta").block(0), 0, pd::block_size);
  expect_found("1 difference", "meta: the metadata is not formatted any more\n");
}

TEST_F(planted_difference, is_damage) {
  pd::test::spoil(devices_.stable("meta"), on_disk().era_array_root);
  EXPECT_THROW(simulator_.finish(), base::data_error);
}

TEST_F(planted_difference, is_in_the_snapshot_too) {
  run_all({create, "message take_metadata_snap", "settle", "remove"});
  pd::memory_device& device = devices_.stable("meta");
  const auto copy = era::decode_superblock(device.block(on_disk().metadata_snap));
  change_block(device, pd::array_block, child_of(device, copy.era_array_root, 0),
               [](std::byte* bytes) { base::put_le32(bytes + 24, 1); });
  expect_found("1 difference",
               "meta: the metadata snapshot holds other eras than when it was taken\n");
}

TEST_F(planted_difference, is_found_at_a_removal_and_a_power_cut) {
  run(create);
  change_array(99, 1);
  EXPECT_THROW(run("remove"), base::data_error);
  run(create);
  EXPECT_THROW(run("power_cut"), base::data_error);
}

TEST_F(planted_difference, is_not_looked_for_without_verification) {
  era::simulator trusting(devices_, out_, false);
  trusting.run(era::parse_command(create).value());
  pd::test::spoil(devices_.stable("meta"), on_disk().space_map.bitmap_root);
  trusting.run(era::parse_command("power_cut").value());
  EXPECT_NO_THROW(trusting.finish());
}

}  // namespace
