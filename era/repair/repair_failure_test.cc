// A repair of a device that fails at any read: it makes sound metadata with no era too early, or
// none that anybody takes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/error.h"
#include "era/check/check_test_support.h"
#include "era/repair/repair.h"
#include "era/simulation/era_model.h"
#include "persistent-data/faulty_device.h"

namespace {

using era::repair_options;
using era::test::problem_recorder;
using era::test::usual_model;

struct outcome {
  bool complete = false;
  std::string message;    // where it is not
  bool reported = false;  // something is wrong with what is repaired
  era::repair_basis basis = era::repair_basis::superblock;
  era::era_state state;
};

bool is_metadata(pd::block_device& device) {
  try {
    return era::read_sound_state(device).has_value();
  } catch (const base::data_error&) {
    return false;
  }
}

class repair_of_failing_reads : public testing::Test {
 protected:
  repair_of_failing_reads() {
    write_metadata(stable_, usual_model());
    const era::superblock written = era::decode_superblock(stable_.block(0));
    geometry_.data_block_size = written.data_block_size;
    geometry_.nr_blocks = written.nr_blocks;
  }

  static outcome repaired(pd::block_device& from, const repair_options& options) {
    outcome found;
    pd::memory_device output(era::test::metadata_blocks);
    problem_recorder problems;
    try {
      era::metadata_builder building(output);
      base::no_progress silent;
      found.basis = repair(from, options, problems, building, silent).basis;
      found.complete = true;
    } catch (const base::error& ended) {
      EXPECT_FALSE(is_metadata(output));
      found.message = ended.what();
      return found;
    }
    problem_recorder none;
    era::test::check(output, none);
    EXPECT_EQ(none.text(), "");
    found.state = era::read_sound_state(output).value();
    found.reported = !problems.problems.empty();
    return found;
  }

  // Once for each `distance`-th read that a repair of the device makes: first it fails alone, then
  // with all that come after it.
  void for_each_read(const repair_options& options, std::uint64_t distance,
                     const std::function<void(const outcome&)>& judge) {
    pd::faulty_device counting(stable_);
    ASSERT_TRUE(repaired(counting, options).complete);
    ASSERT_GT(counting.reads_seen(), 5U);
    for (std::uint64_t n = 0; n < counting.reads_seen(); n += distance) {
      for (const bool lasts : {false, true}) {
        SCOPED_TRACE("read " + std::to_string(n) + (lasts ? " and all after it" : ""));
        pd::faulty_device device(stable_);
        lasts ? device.fail_after_reads(n) : device.fail_read_after(n);
        judge(repaired(device, options));
      }
    }
  }

  void expect_no_era_too_early(const outcome& found) const {
    ASSERT_GE(found.state.eras.size(), right_.size());
    for (std::size_t block = 0; block < right_.size(); ++block) {
      ASSERT_GE(found.state.eras[block], right_[block]) << block;
    }
  }

  const std::vector<std::uint32_t> right_ = eras_of_model(usual_model());
  pd::memory_device stable_{era::test::metadata_blocks};
  repair_options geometry_;
};

// What fails when all has been read once and is being written may end the repair.
TEST_F(repair_of_failing_reads, has_no_era_too_early) {
  int unchanged = 0;
  int raised = 0;
  int ended = 0;
  for_each_read(geometry_, 1, [&](const outcome& found) {
    if (!found.complete) {
      ++ended;
      return;
    }
    expect_no_era_too_early(found);
    EXPECT_TRUE(found.reported || found.state.eras == right_);
    ++(found.state.eras == right_ ? unchanged : raised);
  });
  EXPECT_GT(unchanged, 0);
  EXPECT_GT(raised, 10);
  EXPECT_GT(ended, 0);
}

TEST_F(repair_of_failing_reads, takes_all_as_written_without_a_superblock) {
  std::memset(stable_.block(0), 0, pd::block_size);
  constexpr std::uint64_t distance = 9;  // it takes its time to read a bad superblock again
  for_each_read(geometry_, distance, [&](const outcome& found) {
    ASSERT_TRUE(found.complete) << found.message;
    EXPECT_EQ(found.basis, era::repair_basis::all_written);
    expect_no_era_too_early(found);
    EXPECT_EQ(std::count(found.state.eras.begin(), found.state.eras.end(), found.state.current_era),
              static_cast<std::ptrdiff_t>(right_.size()));
  });
}

}  // namespace
