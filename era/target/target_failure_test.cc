// A target whose metadata runs out of space, or whose metadata device fails (doc/target.md 6): the
// last commit stays, and no write reaches the origin without its mark.
#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using era::superblock;
using era::test::contents_for;
using era::test::eras_of;
using era::test::problems_of;
using era::test::table_of;
using era::test::test_devices;
using era::test::write;
using log = std::vector<std::string>;

constexpr std::uint32_t block_size = 8;

// What a device with 1024 data blocks does on so few metadata blocks.
struct outcome {
  bool resumes = false;
  bool takes_a_write = false;
  bool takes_a_checkpoint = false;
};

outcome outcome_with(pd::block_nr metadata_blocks) {
  test_devices devices(metadata_blocks, 8192);
  outcome found;
  try {
    era::target target(table_of(8192, block_size), devices);
    target.resume();
    found.resumes = true;
    write(target, 0, 8);
    found.takes_a_write = true;
    target.message("checkpoint");
    found.takes_a_checkpoint = true;
  } catch (const base::io_error& e) {
    EXPECT_NE(std::string(e.what()).find("no metadata block is free"), std::string::npos);
  }
  EXPECT_EQ(devices.data.log, found.takes_a_write ? log{"write 0 8"} : log{});
  EXPECT_EQ(problems_of(devices.metadata_device), "");
  const superblock left = devices.on_disk();
  EXPECT_EQ(left.current_open(), found.resumes);
  // With 11 blocks, the first of the two commits of a resume has room.
  EXPECT_EQ(left.nr_blocks, metadata_blocks >= 11 ? 1024U : 0U);
  EXPECT_EQ(left.current_era, found.takes_a_checkpoint ? 2U : found.resumes ? 1U : 0U);
  return found;
}

TEST(out_of_space, fails_where_the_kernel_does) {
  for (pd::block_nr blocks = 8; blocks <= 20; ++blocks) {
    SCOPED_TRACE(std::to_string(blocks) + " metadata blocks");
    const outcome found = outcome_with(blocks);
    EXPECT_EQ(found.resumes, blocks >= 12);
    EXPECT_EQ(found.takes_a_write, blocks >= 14);
    EXPECT_TRUE(blocks != 14 || !found.takes_a_checkpoint);
    EXPECT_TRUE(blocks != 20 || found.takes_a_checkpoint);
  }
}

TEST(out_of_space, at_any_time_leaves_the_last_commit_to_go_on_from) {
  for (pd::block_nr blocks = 12; blocks <= 20; ++blocks) {
    SCOPED_TRACE(std::to_string(blocks) + " metadata blocks");
    test_devices devices(blocks, 8192);
    std::vector<std::uint32_t> eras(1024);
    for (std::uint64_t round = 0; round < 8; ++round) {
      era::target target(table_of(8192, block_size), devices);
      try {
        target.resume();
        write(target, round * block_size, 1);
        eras[round] = target.current_era();
        target.message(round % 2 == 0 ? "checkpoint" : "take_metadata_snap");
        era::test::settle(target);
        target.message("drop_metadata_snap");
      } catch (const base::error&) {
      }
      EXPECT_EQ(eras_of(devices.stable), eras);
      EXPECT_EQ(problems_of(devices.metadata_device), "");
    }
    EXPECT_EQ(eras_of(devices.metadata_device), eras);
  }
}

// ---- after a failure ----

// A device with block 0 marked in era 1 whose metadata is full: a checkpoint has failed.
class full_target : public testing::Test {
 protected:
  full_target() {
    target_.resume();
    write(target_, 0, 8);
    EXPECT_THROW(target_.message("checkpoint"), base::io_error);
    devices_.data.log.clear();
    writes_before_ = devices_.metadata_device.writes_seen();
  }

  void TearDown() override {
    EXPECT_EQ(devices_.metadata_device.writes_seen(), writes_before_) << "nothing is committed";
    EXPECT_EQ(problems_of(devices_.stable), "");
    EXPECT_EQ(devices_.on_disk().current_era, 1U);
  }

  test_devices devices_{14, 8192};
  era::target target_{table_of(8192, block_size), devices_};
  std::uint64_t writes_before_ = 0;
};

TEST_F(full_target, takes_writes_to_marked_blocks_only) {
  write(target_, 0, 8);
  write(target_, 3, 2);
  for (int repeated = 0; repeated < 3; ++repeated) {
    EXPECT_THROW(write(target_, 8, 8), base::io_error);
    EXPECT_THROW(target_.message("checkpoint"), base::io_error);
    target_.work();
  }
  write(target_, 7, 1);
  EXPECT_EQ(devices_.data.log, (log{"write 0 8", "write 3 2", "write 7 1"}));
  EXPECT_EQ(eras_of(devices_.stable)[0], 1U);
  EXPECT_EQ(eras_of(devices_.stable)[1], 0U);
}

TEST_F(full_target, reads_and_flushes) {
  std::vector<std::byte> bytes(8 * era::sector_bytes);
  target_.map({era::request::kind::read, 0, 8, bytes});
  target_.map({era::request::kind::flush});
  EXPECT_EQ(bytes, contents_for(1, 8));
}

TEST_F(full_target, takes_no_message_and_does_not_digest) {
  for (const char* const text : {"checkpoint", "take_metadata_snap"}) {
    EXPECT_THROW(target_.message(text), base::io_error);
  }
  EXPECT_THROW(target_.step(), base::io_error);
  EXPECT_THROW(target_.commit(), base::io_error);
}

TEST_F(full_target, has_error_for_a_status) {
  EXPECT_EQ(target_.status_info(), "0 8192 era Error");
  EXPECT_EQ(target_.status_info(), "0 8192 era Error");
  EXPECT_EQ(target_.status_table(), "0 8192 era meta data 8");
}

TEST_F(full_target, is_suspended_without_a_commit_and_does_not_resume) {
  EXPECT_THROW(target_.suspend(), base::io_error);
  EXPECT_FALSE(target_.is_running());
  EXPECT_THROW(target_.resume(), base::io_error);
  EXPECT_FALSE(target_.is_running());
}

TEST(failed_target, holds_its_snapshot_until_it_is_constructed_again) {
  test_devices devices(24, 8192);
  auto target = std::make_unique<era::target>(table_of(8192, block_size), devices);
  target->resume();
  target->message("take_metadata_snap");
  EXPECT_THROW(
      for (;;) { target->message("checkpoint"); }, base::io_error);
  const superblock left = devices.on_disk();
  EXPECT_THROW(target->message("drop_metadata_snap"), base::io_error) << "there would be room";
  EXPECT_EQ(devices.on_disk().metadata_snap, left.metadata_snap);
  EXPECT_EQ(problems_of(devices.stable), "");
}

// ---- a device that fails ----

// All that a target can do, in an order in which much is under way; `note` is called in between.
void run_schedule(test_devices& devices, const std::function<void()>& note) {
  const auto made = std::make_unique<era::target>(table_of(8192, block_size), devices);
  made->resume();
  note();
  for (std::uint64_t n = 0; n < 4; ++n) {
    write(*made, n * 800, 1000);
    note();
    made->message(n == 1 ? "take_metadata_snap" : "checkpoint");
    note();
    for (int steps = 0; steps < 8; ++steps) {
      made->step();
    }
    made->status_info();
    note();
  }
  write(*made, 0, 8);
  const auto longer = std::make_unique<era::target>(table_of(8800, block_size), devices);
  made->suspend();
  note();
  longer->resume();
  note();
  longer->message("drop_metadata_snap");
  note();
  write(*longer, 8792, 8);
  longer->suspend();
  note();
}

TEST(failing_device, leaves_a_commit_to_go_on_from_after_any_write) {
  std::uint64_t writes = 0;
  std::vector<std::optional<era::era_state>> states{std::nullopt};
  {
    test_devices devices(200, 8800);
    run_schedule(devices, [&] { states.push_back(era::read_sound_state(devices.stable)); });
    writes = devices.metadata_device.writes_seen();
  }
  ASSERT_GT(writes, 100U);
  for (std::uint64_t n = 0; n < writes; ++n) {
    SCOPED_TRACE("after " + std::to_string(n) + " writes");
    test_devices devices(200, 8800);
    devices.metadata_device.fail_after_writes(n);
    std::size_t done = 0;
    EXPECT_THROW(run_schedule(devices, [&] { ++done; }), base::error);

    // What was flushed, and what was written, if the device has kept it.
    for (pd::block_device* const device :
         std::initializer_list<pd::block_device*>{&devices.stable, &devices.metadata_device}) {
      const auto found = era::read_sound_state(*device);
      if (!found) {
        EXPECT_EQ(done, 0U);
        continue;
      }
      const era::era_state& after = states[done + 1].value();
      const era::era_state before = states[done].value_or(era::era_state());
      EXPECT_GE(found->current_era, before.current_era);
      EXPECT_LE(found->current_era, after.current_era);
      for (std::size_t block = 0; block < found->eras.size(); ++block) {
        const std::uint32_t old = block < before.eras.size() ? before.eras[block] : 0;
        ASSERT_TRUE(found->eras[block] == old || found->eras[block] == after.eras[block]) << block;
      }
    }
    std::mt19937_64 random(n);
    devices.metadata_device.cut_power(random);
    era::target again(table_of(8192, block_size), devices);
    again.resume();
    write(again, 0, 8192);
    again.suspend();
    EXPECT_EQ(eras_of(devices.stable), std::vector<std::uint32_t>(1024, again.current_era()));
  }
}

// ---- a checkpoint that may or may not have come through ----

class doubtful_checkpoint : public testing::Test {
 protected:
  doubtful_checkpoint() {
    target_.resume();
    write(target_, 0, 8);
    devices_.data.log.clear();
  }

  // The number of blocks that a checkpoint writes, the superblock being the last one.
  static std::uint64_t writes_of_a_checkpoint() {
    test_devices devices(64, 8192);
    era::target target(table_of(8192, block_size), devices);
    target.resume();
    write(target, 0, 8);
    const std::uint64_t before = devices.metadata_device.writes_seen();
    target.message("checkpoint");
    return devices.metadata_device.writes_seen() - before;
  }

  test_devices devices_{64, 8192};
  era::target target_{table_of(8192, block_size), devices_};
};

TEST_F(doubtful_checkpoint, keeps_the_marks_of_the_era_while_the_old_superblock_is_there) {
  devices_.metadata_device.fail_after_writes(writes_of_a_checkpoint() - 2);
  for (int repeated = 0; repeated < 2; ++repeated) {
    EXPECT_THROW(target_.message("checkpoint"), base::io_error);
    EXPECT_EQ(target_.current_era(), 1U);
    write(target_, 0, 8);
    EXPECT_THROW(write(target_, 8, 8), base::io_error);
  }
  EXPECT_EQ(devices_.data.log, (log{"write 0 8", "write 0 8"}));
}

TEST_F(doubtful_checkpoint, keeps_the_marks_of_the_era_if_the_superblock_was_not_written) {
  devices_.metadata_device.fail_writes_of(0);
  EXPECT_THROW(target_.message("checkpoint"), base::io_error);
  write(target_, 0, 8);
  EXPECT_THROW(write(target_, 8, 8), base::io_error);
  EXPECT_EQ(devices_.data.log, (log{"write 0 8"}));
  EXPECT_EQ(devices_.on_disk().current_era, 1U);
}

// After a power cut the device might say era 2, and a write that is let through now would stand in
// era 1, which is over.
TEST_F(doubtful_checkpoint, lets_no_write_through_once_the_new_superblock_was_written) {
  devices_.metadata_device.fail_after_writes(writes_of_a_checkpoint());
  EXPECT_THROW(target_.message("checkpoint"), base::io_error);
  EXPECT_THROW(write(target_, 0, 8), base::io_error);
  EXPECT_THROW(write(target_, 8, 8), base::io_error);
  EXPECT_TRUE(devices_.data.log.empty());
}

TEST_F(doubtful_checkpoint, lets_no_write_through_if_the_superblock_cannot_be_read) {
  devices_.metadata_device.fail_writes_of(0);
  devices_.metadata_device.fail_reads_of(0);
  EXPECT_THROW(target_.message("checkpoint"), base::io_error);
  EXPECT_THROW(write(target_, 0, 8), base::io_error);
  EXPECT_TRUE(devices_.data.log.empty());
}

TEST_F(doubtful_checkpoint, also_ends_a_resume) {
  target_.suspend();
  devices_.metadata_device.fail_after_writes(0);
  EXPECT_THROW(target_.resume(), base::io_error);
  EXPECT_FALSE(target_.is_running());
  EXPECT_THROW(write(target_, 0, 8), era::refused);
  EXPECT_TRUE(devices_.data.log.empty());
}

TEST(end_of_the_era_counter, is_a_refused_checkpoint) {
  test_devices devices(64, 8192);
  era::test::model nearly_there;
  nearly_there.current_era = UINT32_MAX - 1;
  nearly_there.array.resize(8192 / block_size);
  era::test::metadata_maker maker(devices.stable);
  era::superblock live = write_trees(maker, nearly_there);
  live.data_block_size = block_size;
  maker.finish(live);
  era::target target(table_of(8192, block_size), devices);
  target.resume();
  write(target, 0, 8);
  EXPECT_EQ(target.status_info(), "0 8192 era 8 10/64 4294967295 -");
  EXPECT_NE(message_of<base::data_error>([&] {
              target.message("checkpoint");
            }).find("the era counter is at its end"),
            std::string::npos);
  EXPECT_EQ(devices.on_disk().current_era, UINT32_MAX);
  EXPECT_EQ(eras_of(devices.stable)[0], UINT32_MAX);
  EXPECT_EQ(problems_of(devices.stable), "");
}

TEST(failing_device, has_error_for_a_status_whose_commit_fails) {
  era::test::test_devices devices(64, 8192);
  era::target target(era::test::table_of(8192, 8), devices);
  target.resume();
  devices.metadata_device.fail_writes_of(0);
  EXPECT_EQ(target.status_info(), "0 8192 era Error");
}

}  // namespace
