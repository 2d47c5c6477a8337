// Power that fails in the midst of commands, whole scripts, and devices that are files.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/file_test_support.h"
#include "era/simulation/simulated_files.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using base::test::read_file;
using base::test::temporary_folder;
using lines = std::vector<std::string>;

constexpr char create[] = "create 0 800 era meta data 8";

struct cut_command {
  lines before;
  std::string command;
};

// Each command that writes metadata, and what leads up to it.
const std::vector<cut_command> commands_to_cut = {
    {{}, create},
    {{create, "write 0 800", "suspend"}, "resume"},
    {{create, "write 0 80", "suspend", "reload 0 1600 era meta data 8"}, "resume"},
    {{create, "write 0 80", "reload 0 80 era meta data 8"}, "resume"},
    {{create, "write 0 80", "message checkpoint", "step 2"}, "suspend"},
    {{create, "write 0 80", "message checkpoint", "settle"}, "remove"},
    {{create, "write 0 80", "message checkpoint"}, "write 40 200"},
    {{create}, "write_zeroes 40 200"},
    {{create}, "discard 40 200"},
    {{create, "write 0 80"}, "message checkpoint"},
    {{create, "write 0 80", "message checkpoint", "step 2"}, "message take_metadata_snap"},
    {{create, "message take_metadata_snap", "write 0 80"}, "message drop_metadata_snap"},
    {{create, "write 0 80", "message checkpoint", "step 2"}, "status"},
    {{create, "write 0 80", "message checkpoint", "message checkpoint"}, "settle"},
};

// Cuts the power during the command, before so many blocks of metadata were written. True if the
// power did fail in it.
bool cut(const cut_command& from, std::uint64_t writes, std::uint64_t seed) {
  const temporary_folder folder;
  base::output out(folder / "out");
  era::test::memory_devices devices;
  era::simulator simulator(devices, out, true);
  const auto run = [&](const std::string& line) {
    SCOPED_TRACE(line);
    EXPECT_NO_THROW(simulator.run(era::parse_command(line).value()));
  };
  run("device meta 800");
  run("device data 1600");
  for (const std::string& line : from.before) {
    run(line);
  }
  run("power_cut_after " + std::to_string(writes) + " " + std::to_string(seed));
  run(from.command);
  const bool failed = devices.has_power_failed();
  const std::size_t requests = devices.data("data").log.size();
  if (failed) {
    run("write 0 800");
    run("status");
    EXPECT_EQ(devices.data("data").log.size(), requests) << "without power nothing is done";
  }
  run("power_cut");
  EXPECT_FALSE(devices.has_power_failed());
  for (const char* const line : {create, "write 0 8", "settle", "remove"}) {
    run(line);
  }
  EXPECT_NO_THROW(simulator.finish());
  EXPECT_EQ(era::test::eras_of(devices.stable("meta"))[0],
            era::decode_superblock(devices.stable("meta").block(0)).current_era);
  return failed;
}

TEST(power_cut_after, in_the_midst_of_any_command_loses_nothing) {
  for (const cut_command& from : commands_to_cut) {
    SCOPED_TRACE(from.command);
    std::uint64_t writes = 0;
    while (cut(from, writes, writes)) {
      cut(from, writes, writes + 100);
      ++writes;
      ASSERT_LT(writes, 100U) << "the power never lasts";
    }
    EXPECT_GT(writes, 3U) << "the command writes several blocks";
  }
}

// ---- scripts ----

// Hands out a few bytes at a time, as a terminal would.
era::script_reader reader_of(std::string text) {
  return [text = std::move(text), at = std::size_t{0}](char* data, std::size_t size) mutable {
    const std::size_t count = std::min({size, text.size() - at, std::size_t{1000}});
    text.copy(data, count, at);
    at += count;
    return count;
  };
}

class script : public testing::Test {
 protected:
  void run(const std::string& text) {
    era::simulator simulator(devices_, out_, true);
    run_script(reader_of(text), "a script", simulator);
  }

  std::string fault_in(const std::string& text) {
    return message_of<base::data_error>([&] { run(text); });
  }

  temporary_folder folder_;
  base::output out_{folder_ / "out"};
  era::test::memory_devices devices_;
};

TEST_F(script, is_run_line_by_line_to_its_end) {
  run("# the devices\ndevice meta 800\r\ndevice data 800\n\n  create 0 800 era meta data 8\n"
      "! message hello\nstatus\nremove");
  out_.commit();
  EXPECT_EQ(read_file(folder_ / "out"), "unsupported message 'hello'\n0 800 era 8 9/100 1 -\n");
}

TEST_F(script, is_named_with_the_line_that_fails) {
  EXPECT_EQ(fault_in("# nothing\n\nwrite 0 8\nresume"),
            "a script:3: No such device or address: no device has been created");
  EXPECT_EQ(fault_in("device meta2 8\nhello"),
            "a script:2: unknown command 'hello'; era_simulate(8) lists all");
  EXPECT_EQ(fault_in("\n\n! power_cut\n"), "a script:3: '! power_cut': it succeeded");
}

TEST_F(script, that_ends_without_power_has_it_back_for_the_verification) {
  run("device meta 800\ndevice data 800\ncreate 0 800 era meta data 8\npower_cut_after 2 1\n"
      "write 0 8\nstatus");
  EXPECT_FALSE(devices_.has_power_failed());
  EXPECT_TRUE(era::read_sound_state(devices_.stable("meta")));
}

TEST_F(script, has_lines_of_a_bounded_length) {
  run("#" + std::string(4095, 'x') + "\n#" + std::string(4095, 'x'));
  EXPECT_EQ(fault_in("\n#" + std::string(4096, 'x') + "\n"), "a script:2: longer than 4096 bytes");
}

// ---- files ----

class simulated_files : public testing::Test {
 protected:
  void write(const std::string& name, pd::block_nr where, unsigned value) {
    pd::block_buffer block(1);
    std::memset(block.block(0), static_cast<int>(value), pd::block_size);
    const pd::write_request request{where, block.block(0)};
    files_.metadata(name).write({&request, 1});
  }

  char byte_of(const std::string& name, pd::block_nr where) {
    return read_file(name)[where * pd::block_size];
  }

  temporary_folder folder_;
  std::string meta_ = folder_ / "meta";
  era::simulated_files files_;
};

TEST_F(simulated_files, are_made_of_zeros_and_only_where_there_is_none) {
  files_.make(meta_, 24);
  EXPECT_EQ(read_file(meta_), std::string(12288, '\0'));
  EXPECT_EQ(message_of<base::io_error>([&] { files_.make(meta_, 24); }),
            meta_ + ": File exists\nRemove it first, or give another name.");
  EXPECT_THROW(files_.make(folder_ / "no/folder", 8), base::io_error);
  EXPECT_EQ(folder_.names(), std::set<std::string>{"meta"});
}

TEST_F(simulated_files, must_be_there_to_be_used) {
  EXPECT_THROW(files_.metadata(folder_ / "none"), base::io_error);
  EXPECT_THROW(files_.origin(folder_ / "none"), base::io_error);
  files_.make(folder_ / "none", 8);
  EXPECT_EQ(files_.metadata(folder_ / "none").nr_blocks(), 1U) << "the failure was not kept";
  EXPECT_EQ(files_.origin(folder_ / "none").nr_sectors(), 8U);
}

TEST_F(simulated_files, keep_what_is_not_flushed_from_the_file) {
  files_.make(meta_, 80);
  write(meta_, 3, 'x');
  EXPECT_EQ(byte_of(meta_, 3), '\0');
  files_.metadata(meta_).flush();
  EXPECT_EQ(byte_of(meta_, 3), 'x');
}

TEST_F(simulated_files, lose_power_after_so_many_writes_and_get_it_back) {
  files_.make(meta_, 80);
  files_.fail_power_after(1);  // before the file is opened
  write(meta_, 3, 'x');
  EXPECT_FALSE(files_.has_power_failed());
  EXPECT_THROW(write(meta_, 4, 'x'), base::io_error);
  EXPECT_TRUE(files_.has_power_failed());
  files_.cut_power(1);
  EXPECT_FALSE(files_.has_power_failed());
  EXPECT_EQ(byte_of(meta_, 4), '\0');
  write(meta_, 4, 'y');
  files_.metadata(meta_).flush();
  EXPECT_EQ(byte_of(meta_, 4), 'y');
}

TEST_F(simulated_files, run_a_script_whose_files_the_tools_can_read) {
  base::output out(folder_ / "out");
  era::simulator simulator(files_, out, true);
  const std::string text("device " + meta_ + " 800\ndevice " + (folder_ / "data") +
                         " 800\ncreate 0 800 era " + meta_ + " " + (folder_ / "data") +
                         " 8\nwrite 8 16\npower_cut 5\n");
  run_script(reader_of(text), "a script", simulator);
  auto file = pd::file_device::open_for_reading(meta_, pd::file_device::sharing::shared);
  const auto eras = era::test::eras_of(file);
  EXPECT_EQ(std::vector<std::uint32_t>(eras.begin(), eras.begin() + 4),
            (std::vector<std::uint32_t>{0, 1, 1, 0}));
  EXPECT_EQ(std::filesystem::file_size(folder_ / "data"), 800U * 512);
}

}  // namespace
