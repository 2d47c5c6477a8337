// Metadata with hardly any room: commands fail in their midst, with some of their commits done.
// What is verified must then be what was committed, no more and no less.
#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/simulation/schedule.h"
#include "era/target/hollow_origin_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using era::outcome;
using era::script_command;
using era::verb;

// Metadata of so many blocks, whatever the script says.
class cramped_devices final : public era::simulated_devices {
 public:
  explicit cramped_devices(pd::block_nr metadata_blocks) : stable_(metadata_blocks, "meta") {}
  void make(const std::string& name, std::uint64_t nr_sectors) override {
    if (name == "data") {
      origin_.emplace(nr_sectors);
    }
  }
  pd::block_device& metadata(const std::string& /*name*/) override { return faulty_; }
  era::origin& origin(const std::string& /*name*/) override { return origin_.value(); }
  void fail_power_after(std::uint64_t writes) override { faulty_.fail_after_writes(writes); }
  bool has_power_failed() const override { return faulty_.has_failed(); }
  void cut_power(std::uint64_t seed) override {
    std::mt19937_64 random(seed);
    faulty_.cut_power(random);
  }

 private:
  pd::memory_device stable_;
  pd::faulty_device faulty_{stable_};
  std::optional<era::test::hollow_origin> origin_;
};

// Runs a schedule on metadata of so many blocks. Now and then the device goes, in one way or the
// other, and is made again: a target whose metadata ran out of room does nothing more.
class cramped {
 public:
  cramped(std::uint64_t seed, pd::block_nr metadata_blocks, base::output& out)
      : devices_(metadata_blocks),
        simulator_(devices_, out, true),
        schedule_({seed, 40, "meta", "data", 3000}),
        random_(seed) {}

  void run() {
    while (auto command = schedule_.next()) {
      if (command->what == verb::create || command->what == verb::reload) {
        table_ = command->text;
      }
      run(*command);
      if (!table_.empty() && random_() % 5 == 0) {
        make_again();
      }
    }
    EXPECT_NO_THROW(simulator_.finish());
  }

 private:
  void run(script_command command) {
    command.expected = outcome::any;
    SCOPED_TRACE(era::text_of(command));
    EXPECT_NO_THROW(simulator_.run(command));
  }

  void make_again() {
    if (random_() % 2 == 0) {
      run({verb::remove});
    } else {
      run({verb::power_cut, outcome::any, {random_() % 1000}});
    }
    if (random_() % 4 == 0) {
      run({verb::load, outcome::any, {}, table_});
      run({verb::resume});
    }
    run({verb::create, outcome::any, {}, table_});
  }

  cramped_devices devices_;
  era::simulator simulator_;
  era::schedule schedule_;
  std::mt19937_64 random_;
  std::string table_;
};

std::uint64_t count_in(const std::string& text, const std::string& words) {
  std::uint64_t found = 0;
  for (std::size_t at = text.find(words); at != std::string::npos; at = text.find(words, at + 1)) {
    ++found;
  }
  return found;
}

TEST(small_metadata, holds_what_was_committed_wherever_the_room_ran_out) {
  constexpr std::uint64_t schedules = 200;
  const base::test::temporary_folder folder;
  base::output out(folder / "out");
  for (std::uint64_t seed = 0; seed < schedules && !testing::Test::HasFailure(); ++seed) {
    const pd::block_nr blocks = 11 + seed % 30;
    SCOPED_TRACE("seed " + std::to_string(seed) + ", " + std::to_string(blocks) + " blocks");
    cramped(seed, blocks, out).run();
  }
  out.commit();
  EXPECT_GT(count_in(base::test::read_file(folder / "out"), "no metadata block is free"),
            schedules);
}

class few_blocks : public testing::Test {
 protected:
  void run_all(const std::vector<std::string>& lines) {
    for (const std::string& line : lines) {
      SCOPED_TRACE(line);
      ASSERT_NO_THROW(simulator_.run(era::parse_command(line).value()));
    }
  }

  base::test::temporary_folder folder_;
  base::output out_{folder_ / "out"};
  era::test::memory_devices devices_;
  era::simulator simulator_{devices_, out_, true};
};

TEST_F(few_blocks, keep_a_resize_though_no_era_begins_after_it) {
  run_all(
      {"device M 86", "device O 16288", "- create 0 8 era M O 8", "- create 0 16288 era M O 8"});
  EXPECT_EQ(era::decode_superblock(devices_.stable("M").block(0)).nr_blocks, 1U);
  EXPECT_NO_THROW(simulator_.finish());
}

TEST_F(few_blocks, do_not_excuse_a_difference_where_a_command_may_fail) {
  run_all({"device M 800", "device O 800", "create 0 800 era M O 8", "write 8 8"});
  pd::test::change_block(devices_.stable("M"), era::superblock_block, 0,
                         [](std::byte* block) { base::put_le32(block + 184, 7); });
  EXPECT_THROW(simulator_.run(era::parse_command("- power_cut").value()), era::verification_failed);
}

}  // namespace
