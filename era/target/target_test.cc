#include "era/target/target.h"

#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using era::superblock;
using era::test::archived_in;
using era::test::eras_of;
using era::test::problems_of;
using era::test::table_of;
using era::test::test_devices;
using era::test::write;

constexpr pd::block_nr metadata_blocks = 64;
constexpr std::uint64_t origin_sectors = 800;
constexpr std::uint32_t block_size = 8;

class target : public testing::Test {
 protected:
  target() : running_(make_target()) { running_->resume(); }

  std::unique_ptr<era::target> make_target(std::uint64_t sectors = origin_sectors) {
    return std::make_unique<era::target>(table_of(sectors, block_size), devices_);
  }

  // As after a power cut, or from a device that was removed in good order before.
  void start_again() {
    running_ = make_target();
    running_->resume();
  }

  std::string refused_message(const std::string& text) {
    return message_of<era::refused>([&] { running_->message(text); });
  }

  superblock on_disk() { return devices_.on_disk(); }

  test_devices devices_{metadata_blocks, origin_sectors};
  std::unique_ptr<era::target> running_;
};

// ---- messages and status ----

TEST_F(target, begins_an_era_at_each_checkpoint_and_snapshot_in_any_case) {
  EXPECT_EQ(running_->current_era(), 1U);
  running_->message("checkpoint");
  running_->message("  CheckPoint ");
  EXPECT_EQ(running_->current_era(), 3U);
  running_->message("TAKE_METADATA_SNAP");
  EXPECT_EQ(running_->current_era(), 4U);
  running_->message("Drop_Metadata_Snap");
  EXPECT_EQ(running_->current_era(), 4U);
  EXPECT_EQ(on_disk().current_era, 4U);
}

TEST_F(target, refuses_messages_as_the_kernel_does_and_does_nothing) {
  EXPECT_EQ(refused_message("hello"), "unsupported message 'hello'");
  EXPECT_EQ(refused_message("checkpoint now"),
            "incorrect number of message arguments: a message is one word, not 2");
  EXPECT_EQ(refused_message("hello world"),
            "incorrect number of message arguments: a message is one word, not 2");
  EXPECT_EQ(refused_message(""),
            "incorrect number of message arguments: a message is one word, not 0");
  EXPECT_EQ(refused_message("drop_metadata_snap"), "no snap to drop");
  running_->message("take_metadata_snap");
  EXPECT_EQ(refused_message("take_metadata_snap"), "metadata snapshot already exists");
  EXPECT_EQ(running_->current_era(), 2U);
  running_->message("drop_metadata_snap");
  EXPECT_EQ(refused_message("drop_metadata_snap"), "no snap to drop");
  write(*running_, 0, 8);
  EXPECT_EQ(running_->current_era(), 2U);
}

TEST_F(target, takes_nothing_while_suspended) {
  running_->suspend();
  const superblock before = on_disk();
  EXPECT_THROW(running_->message("checkpoint"), era::refused);
  EXPECT_THROW(running_->status_info(), era::refused);
  EXPECT_THROW(write(*running_, 0, 8), era::refused);
  EXPECT_THROW(running_->map({era::request::kind::flush}), era::refused);
  EXPECT_THROW(running_->step(), era::refused);
  EXPECT_THROW(running_->commit(), era::refused);
  EXPECT_EQ(on_disk().space_map.bitmap_root, before.space_map.bitmap_root);
  EXPECT_TRUE(devices_.data.log.empty());
  EXPECT_EQ(running_->status_table(), "0 800 era meta data 8");
}

TEST_F(target, reports_block_size_use_era_and_snapshot) {
  EXPECT_EQ(running_->status_info(), "0 800 era 8 9/64 1 -");
  running_->message("take_metadata_snap");
  const std::string snapshot = std::to_string(on_disk().metadata_snap);
  EXPECT_EQ(running_->status_info(), "0 800 era 8 12/64 2 " + snapshot);
  running_->message("drop_metadata_snap");
  running_->status_info();
  EXPECT_EQ(running_->status_info(), "0 800 era 8 11/64 2 -");
  EXPECT_EQ(running_->status_table(), "0 800 era meta data 8");
}

// What is written in the table line is what stands in the status.
TEST(status, has_the_table_as_it_was_given) {
  test_devices devices(metadata_blocks, 800);
  const era::target made(era::parse_table_line("0 793 era meta data 008"), devices);
  EXPECT_EQ(made.status_table(), "0 793 era meta data 008");
}

TEST(status, counts_as_the_kernel_where_nothing_is_pending) {
  for (const auto& [nr_blocks, metadata, used] :
       {std::tuple{1024U, 256U, "10/256"}, {4167U, 256U, "13/256"}, {262144U, 2048U, "276/2048"}}) {
    test_devices devices(metadata, std::uint64_t{nr_blocks} * 8);
    era::target target(table_of(std::uint64_t{nr_blocks} * 8, 8), devices);
    target.resume();
    const std::string prefix = "0 " + std::to_string(nr_blocks * 8) + " era 8 ";
    EXPECT_EQ(target.status_info(), prefix + used + " 1 -");
    write(target, 0, 800);
    target.message("checkpoint");
    era::test::settle(target);
    EXPECT_EQ(target.status_info(), prefix + used + " 2 -");
  }
}

TEST_F(target, counts_freed_blocks_as_used_until_the_next_commit) {
  running_->message("checkpoint");
  EXPECT_EQ(running_->status_info(), "0 800 era 8 11/64 2 -");
  while (running_->step()) {
  }
  // Nothing was marked, so the tree's root is all that has been copied.
  EXPECT_EQ(running_->status_info(), "0 800 era 8 12/64 2 -");
  EXPECT_EQ(running_->status_info(), "0 800 era 8 9/64 2 -");
}

// ---- the life of a device ----

TEST_F(target, is_in_era_1_after_its_first_resume) {
  EXPECT_TRUE(running_->is_running());
  EXPECT_EQ(on_disk().current_era, 1U);
  EXPECT_EQ(on_disk().nr_blocks, 100U);
  EXPECT_TRUE(on_disk().current_open());
  EXPECT_EQ(problems_of(devices_.stable), "");
}

TEST_F(target, archives_the_era_at_the_suspension_and_begins_one_at_the_resume) {
  write(*running_, 40, 8);
  running_->suspend();
  EXPECT_EQ(on_disk().current_era, 1U);
  EXPECT_EQ(on_disk().current_root, pd::no_block);
  EXPECT_EQ(on_disk().current_nr_bits, 100U);
  EXPECT_EQ(archived_in(devices_.stable), (std::vector<std::uint32_t>{1}));
  EXPECT_EQ(eras_of(devices_.stable)[5], 1U);
  running_->suspend();
  running_->resume();
  EXPECT_EQ(running_->current_era(), 2U);
  running_->resume();
  EXPECT_EQ(running_->current_era(), 2U) << "it was running";
  EXPECT_TRUE(on_disk().current_open());
  EXPECT_EQ(problems_of(devices_.stable), "");
}

TEST_F(target, archives_under_its_era_what_a_power_cut_left_open) {
  write(*running_, 40, 8);
  running_ = nullptr;
  EXPECT_TRUE(on_disk().current_open());
  start_again();
  EXPECT_EQ(running_->current_era(), 2U);
  EXPECT_EQ(eras_of(devices_.stable)[5], 1U);
  EXPECT_EQ(eras_of(devices_.stable)[6], 0U);
}

TEST_F(target, archives_what_a_power_cut_left_with_its_own_length) {
  write(*running_, 40, 8);
  running_ = make_target(400);
  running_->resume();
  EXPECT_EQ(on_disk().nr_blocks, 50U);
  EXPECT_EQ(on_disk().current_nr_bits, 50U);
  EXPECT_NE(problems_of(devices_.stable).find("100 bits"), std::string::npos)
      << "the remark on a writeset longer than the device";
  EXPECT_EQ(eras_of(devices_.stable)[5], 1U);
}

TEST_F(target, takes_another_length_at_the_resume_with_eras_not_yet_digested) {
  write(*running_, 0, 800);
  for (const std::uint64_t blocks : {10U, 100U, 1U, 64U}) {
    const std::vector<std::uint32_t> before = eras_of(devices_.stable);
    const auto loaded = make_target(blocks * block_size);
    running_->suspend();
    loaded->resume();
    std::vector<std::uint32_t> after = eras_of(devices_.stable);
    ASSERT_EQ(after.size(), blocks);
    const std::size_t both = std::min(before.size(), after.size());
    EXPECT_TRUE(std::equal(after.begin(), after.begin() + both, before.begin()));
    loaded->suspend();
    running_ = make_target(blocks * block_size);
    running_->resume();
    write(*running_, (blocks - 1) * block_size, 1);
  }
}

// Unlike the kernel, which reads the superblock when the table is loaded.
TEST_F(target, keeps_the_marks_made_after_its_table_was_loaded) {
  write(*running_, 0, 8);
  const auto loaded = make_target();
  write(*running_, 8, 8);
  running_->message("checkpoint");
  write(*running_, 16, 8);
  running_->message("take_metadata_snap");
  running_->suspend();
  loaded->resume();
  EXPECT_EQ(loaded->current_era(), 4U);
  const std::vector<std::uint32_t> eras = eras_of(devices_.stable);
  EXPECT_EQ(std::vector<std::uint32_t>(eras.begin(), eras.begin() + 4),
            (std::vector<std::uint32_t>{1, 1, 2, 0}));
  EXPECT_EQ(problems_of(devices_.stable), "");
}

TEST_F(target, of_a_loaded_table_refuses_metadata_that_was_spoilt_meanwhile) {
  const auto loaded = make_target();
  running_->suspend();
  pd::test::spoil(devices_.stable, 0);
  EXPECT_EQ(message_of<era::refused>([&] { loaded->resume(); }).find("Error reading metadata: "),
            0U);
  EXPECT_FALSE(loaded->is_running());
}

}  // namespace
