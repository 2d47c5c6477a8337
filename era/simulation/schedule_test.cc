#include "era/simulation/schedule.h"

#include <gtest/gtest.h>

#include <set>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using era::script_command;
using era::verb;

std::vector<script_command> schedule_of(std::uint64_t seed, std::uint64_t nr_operations) {
  era::schedule schedule({seed, nr_operations, "meta", "data"});
  std::vector<script_command> all;
  while (const auto next = schedule.next()) {
    all.push_back(*next);
  }
  EXPECT_FALSE(schedule.next());
  return all;
}

std::string text_of(const std::vector<script_command>& commands) {
  std::string text;
  for (const script_command& command : commands) {
    text += era::text_of(command) + "\n";
  }
  return text;
}

TEST(schedule, is_the_same_for_the_same_seed) {
  std::set<std::string> different;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const std::string text = text_of(schedule_of(seed, 30));
    EXPECT_EQ(text, text_of(schedule_of(seed, 30)));
    different.insert(text);
  }
  EXPECT_EQ(different.size(), 20U);
}

TEST(schedule, begins_alike_whatever_its_length) {
  const std::string shorter = text_of(schedule_of(3, 10));
  const std::string longer = text_of(schedule_of(3, 50));
  const std::size_t before_its_end = shorter.rfind('\n', shorter.size() - 2);
  EXPECT_EQ(longer.substr(0, before_its_end), shorter.substr(0, before_its_end));
}

TEST(schedule, makes_its_devices_first_and_ends_with_a_removal_or_a_power_cut) {
  std::set<verb> ends;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    const auto all = schedule_of(seed, 5);
    EXPECT_EQ(all[0].what, verb::device);
    EXPECT_EQ(all[0].text, "meta");
    EXPECT_EQ(all[1].what, verb::device);
    EXPECT_EQ(all[1].text, "data");
    EXPECT_EQ(all[2].what, verb::create);
    ends.insert(all.back().what);
  }
  EXPECT_EQ(ends, (std::set<verb>{verb::remove, verb::power_cut}));
}

TEST(schedule, does_everything_that_can_be_done) {
  std::set<verb> seen;
  std::set<std::string> messages;
  for (std::uint64_t seed = 0; seed < 10; ++seed) {
    for (const script_command& command : schedule_of(seed, 300)) {
      seen.insert(command.what);
      if (command.what == verb::message) {
        messages.insert(command.text);
      }
    }
  }
  for (const verb what :
       {verb::device, verb::create, verb::resume, verb::suspend, verb::reload, verb::remove,
        verb::write, verb::write_zeroes, verb::discard, verb::read, verb::flush, verb::message,
        verb::status, verb::step, verb::settle, verb::power_cut, verb::power_cut_after}) {
    EXPECT_TRUE(seen.contains(what)) << static_cast<int>(what);
  }
  EXPECT_EQ(messages, (std::set<std::string>{"checkpoint", "drop_metadata_snap", "hello",
                                             "take_metadata_snap"}));
}

TEST(schedule, can_be_printed_as_a_script) {
  for (const script_command& command : schedule_of(1, 500)) {
    const std::string line = era::text_of(command);
    EXPECT_EQ(era::text_of(era::parse_command(line).value()), line);
  }
}

TEST(schedule, has_no_more_data_blocks_than_asked_for) {
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    era::schedule schedule({seed, 0, "meta", "data", 50});
    schedule.next();
    const std::uint64_t origin_sectors = schedule.next().value().numbers[0];
    const auto table = era::parse_table_line(schedule.next().value().text);
    EXPECT_LE(origin_sectors, 50 * std::stoull(table.block_size));
    EXPECT_LE(table.length, origin_sectors);
    EXPECT_FALSE(schedule.next());
  }
}

TEST(schedule, runs_without_a_difference_or_a_leak) {
  const base::test::temporary_folder folder;
  base::output out(folder / "out");
  std::uint64_t cuts = 0;
  for (std::uint64_t seed = 0; seed < 20; ++seed) {
    SCOPED_TRACE("seed " + std::to_string(seed));
    era::test::memory_devices devices;
    era::simulator simulator(devices, out, true);
    for (const script_command& command : schedule_of(seed, 60)) {
      SCOPED_TRACE(era::text_of(command));
      cuts += command.what == verb::power_cut;
      ASSERT_NO_THROW(simulator.run(command));
    }
    EXPECT_NO_THROW(simulator.finish());
    EXPECT_TRUE(era::read_sound_state(devices.stable("meta")));
  }
  EXPECT_GT(cuts, 20U);
}

}  // namespace
