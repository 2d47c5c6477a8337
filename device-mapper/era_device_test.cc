#include "device-mapper/era_device.h"

#include <gtest/gtest.h>
#include <sys/sysmacros.h>

#include <filesystem>

#include "base/error.h"
#include "base/file_test_support.h"
#include "device-mapper/fake_devices_test_support.h"

namespace {

using base::test::message_of;

// A block device of this machine, as a table names it.
std::optional<std::string> some_block_device() {
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/sys/dev/block", none)) {
    const std::string number = entry.path().filename().string();
    try {
      dm::node_of(number);
      return number;
    } catch (const base::io_error&) {
      continue;
    }
  }
  return std::nullopt;
}

class era_devices : public testing::Test {
 protected:
  void SetUp() override {
    const auto number = some_block_device();
    if (!number) {
      GTEST_SKIP() << "skipped: this machine has no block device with a node";
    }
    number_ = *number;
    set_table(number_ + " " + number_ + " 128");
    set_status("8 10/256 12 -");
  }

  dm::test::fake_device& era() { return fake_.all["era"]; }
  void set_table(const std::string& words) { era().table = {{0, 131072, "era", words}}; }
  void set_status(const std::string& words) { era().status = {{0, 131072, "era", words}}; }
  dm::era_device found() { return dm::find_era_device(fake_, "era"); }
  dm::era_status status() { return dm::status_of(fake_, {"era", 0, "", "", 0, 0}); }

  std::string number_;
  dm::test::fake_devices fake_;
};

TEST_F(era_devices, are_found_by_name_and_by_path) {
  era().number = makedev(254, 3);
  for (const std::string name : {"era", "/dev/mapper/era"}) {
    const dm::era_device device = dm::find_era_device(fake_, name);
    EXPECT_EQ(device.name, "era");
    EXPECT_EQ(device.number, makedev(254, 3));
    EXPECT_EQ(device.metadata, dm::node_of(number_));
    EXPECT_EQ(device.origin, dm::node_of(number_));
    EXPECT_EQ(device.length, 131072U);
    EXPECT_EQ(device.block_size, 128U);
  }
}

TEST_F(era_devices, are_refused_that_do_not_exist_or_are_of_another_type) {
  EXPECT_NE(message_of<base::io_error>([&] {
              dm::find_era_device(fake_, "nothing");
            }).find("nothing: no such device"),
            std::string::npos);
  era().table = {{0, 8, "linear", "7:0 0"}};
  EXPECT_NE(message_of<base::data_error>([&] { found(); }).find("of: linear"), std::string::npos);
  era().table = {{0, 8, "era", "7:0 7:0 128"}, {8, 8, "era", "7:0 7:0 128"}};
  EXPECT_NE(message_of<base::data_error>([&] { found(); }).find("of: era, era"), std::string::npos);
  era().table.clear();
  EXPECT_NE(message_of<base::data_error>([&] { found(); }).find("it has no table"),
            std::string::npos);
}

TEST_F(era_devices, are_refused_when_suspended_without_asking_their_status) {
  era().suspended = true;
  EXPECT_NE(message_of<base::data_error>([&] { found(); }).find("is suspended"), std::string::npos);
  EXPECT_NE(message_of<base::data_error>([&] { status(); }).find("is suspended"),
            std::string::npos);
}

TEST_F(era_devices, need_a_table_that_is_understood_in_full) {
  for (const std::string& words :
       {std::string(), number_, number_ + " " + number_, number_ + " " + number_ + " 0",
        number_ + " " + number_ + " 12", number_ + " " + number_ + " -8",
        number_ + " " + number_ + " 4294967296", number_ + " " + number_ + " 128 1",
        "../7:0 " + number_ + " 128", number_ + " 7 128", number_ + " 7:x 128"}) {
    set_table(words);
    EXPECT_EQ(message_of<base::data_error>([&] { found(); }),
              "era: its table is not understood: " + words);
  }
  set_table("4294967295:0 " + number_ + " 128");
  EXPECT_NE(message_of<base::io_error>([&] { found(); }).find("has no node"), std::string::npos);
}

TEST_F(era_devices, say_their_era_and_what_is_held) {
  EXPECT_EQ(status().current_era, 12U);
  EXPECT_EQ(status().used_blocks, 10U);
  EXPECT_EQ(status().total_blocks, 256U);
  EXPECT_EQ(status().held_snapshot, std::nullopt);
  set_status("8 256/256 4294967295 9");
  EXPECT_EQ(status().current_era, UINT32_MAX);
  EXPECT_EQ(status().held_snapshot, std::optional<std::uint64_t>(9));
}

TEST_F(era_devices, need_a_status_that_is_understood_in_full) {
  for (const std::string words :
       {"", "8", "8 10/256 12", "8 10/256 12 - -", "x 10/256 12 -", "8 10 12 -", "8 257/256 12 -",
        "8 10/256 4294967296 -", "8 10/256 12 x", "8 10/256 12 -1"}) {
    set_status(words);
    EXPECT_EQ(message_of<base::data_error>([&] { status(); }),
              std::string("era: its status is not understood: ") + words);
  }
  era().status.clear();
  EXPECT_THROW(status(), base::data_error);
}

TEST_F(era_devices, say_that_they_have_failed) {
  for (const std::string words : {"Error", "Fail"}) {
    set_status(words);
    EXPECT_NE(message_of<base::data_error>([&] {
                status();
              }).find("the target has failed, its status is " + words),
              std::string::npos);
  }
}

TEST_F(era_devices, are_not_taken_for_another_of_their_name) {
  era().number = makedev(254, 4);
  EXPECT_EQ(message_of<base::data_error>([&] { status(); }), "era: is another device by now");
}

}  // namespace
