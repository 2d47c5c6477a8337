// What is read from a device that fails at any read: a check finds it, a list or a dump is the
// right one or ends, and a repair makes no era earlier.
#include <gtest/gtest.h>

#include <functional>

#include "era/check/check_test_support.h"
#include "era/list/list_format.h"
#include "era/read/contents_reader.h"
#include "persistent-data/faulty_device.h"

namespace {

using era::test::problem_recorder;
using era::test::usual_model;

constexpr std::uint64_t nr_blocks = 3000;

// The last-written eras that a source names.
class eras_sink final : public era::contents_sink {
 public:
  void begin(const era::superblock_facts& facts) override { told.assign(facts.nr_blocks, 0); }
  void begin_writeset(std::uint32_t era, std::uint32_t, era::text_position) override { era_ = era; }
  void bits(std::span<const era::contents_run>) override { FAIL() << "not from metadata"; }
  void bits(era::window_ptr window) override {
    for (std::uint64_t i = 0; i < window->count; ++i) {
      raise(window->first + i, (window->bits[i / 64] >> i % 64 & 1) != 0 ? era_ : 0);
    }
  }
  void end_writeset() override {}
  void eras(std::span<const era::contents_run>) override { FAIL() << "not from metadata"; }
  void eras(era::window_ptr window) override {
    for (std::uint64_t i = 0; i < window->count; ++i) {
      raise(window->first + i, window->eras[i]);
    }
  }
  void end() override { complete = true; }

  std::vector<std::uint32_t> told;
  bool complete = false;

 private:
  void raise(std::uint64_t block, std::uint32_t era) {
    if (block < told.size()) {
      told[block] = std::max(told[block], era);
    }
  }

  std::uint32_t era_ = 0;
};

class failing_reads : public testing::Test {
 protected:
  failing_reads() { write_metadata(stable_, usual_model()); }

  // Once for every read that `use` makes of a sound device: first it fails alone, then with all
  // that come after it.
  void for_each_read(const std::function<void(pd::block_device&, bool failing)>& use) {
    pd::faulty_device counting(stable_);
    use(counting, false);
    ASSERT_GT(counting.reads_seen(), 5U);
    for (std::uint64_t n = 0; n < counting.reads_seen(); ++n) {
      for (const bool lasts : {false, true}) {
        SCOPED_TRACE("read " + std::to_string(n) + (lasts ? " and all after it" : ""));
        pd::faulty_device device(stable_);
        lasts ? device.fail_after_reads(n) : device.fail_read_after(n);
        use(device, lasts || n > 0);  // a superblock is read again
      }
    }
  }

  const std::vector<std::uint32_t> right_ = eras_of_model(usual_model());
  pd::memory_device stable_{era::test::metadata_blocks};
};

TEST_F(failing_reads, is_found_by_a_check) {
  for_each_read([](pd::block_device& device, bool failing) {
    problem_recorder problems;
    const era::check_summary summary = era::test::check(device, problems);
    EXPECT_EQ(summary.errors > 0, failing) << problems.text();
  });
}

TEST_F(failing_reads, has_the_right_list_or_none) {
  int ended = 0;
  for_each_read([&](pd::block_device& device, bool failing) {
    try {
      era::metadata_file file(device);
      era::strict_sink strict("meta");
      base::no_progress silent;
      const era::written_list list =
          list_written_blocks(file, era::metadata_state::live, {5}, strict, silent);
      EXPECT_FALSE(failing);
      const auto expected =
          std::count_if(right_.begin(), right_.end(), [](std::uint32_t era) { return era >= 5; });
      EXPECT_EQ(list.facts.total_blocks, static_cast<std::uint64_t>(expected));
    } catch (const base::error&) {
      EXPECT_TRUE(failing);
      ++ended;
    }
  });
  EXPECT_GT(ended, 10);
}

TEST_F(failing_reads, has_the_right_contents_or_none) {
  int ended = 0;
  for_each_read([&](pd::block_device& device, bool failing) {
    eras_sink into;
    try {
      era::metadata_file file(device);
      era::strict_sink strict("meta");
      base::no_progress silent;
      send_contents(file, {}, strict, into, silent);
      EXPECT_FALSE(failing);
      EXPECT_EQ(into.told, right_);
    } catch (const base::error&) {
      EXPECT_TRUE(failing);
      EXPECT_FALSE(into.complete);
      ++ended;
    }
  });
  EXPECT_GT(ended, 10);
}

TEST_F(failing_reads, has_no_era_too_early_when_repaired) {
  int repaired = 0;
  for_each_read([&](pd::block_device& device, bool failing) {
    eras_sink into;
    problem_recorder problems;
    try {
      era::metadata_file file(device);
      base::no_progress silent;
      send_contents(file, {era::metadata_state::live, false, true}, problems, into, silent);
    } catch (const base::error&) {  // of the superblock
      EXPECT_FALSE(into.complete);
      return;
    }
    EXPECT_EQ(problems.problems.empty(), !failing);
    ASSERT_EQ(into.told.size(), nr_blocks);
    for (std::uint64_t block = 0; block < nr_blocks; ++block) {
      ASSERT_GE(into.told[block], right_[block]) << block;
    }
    ++repaired;
  });
  EXPECT_GT(repaired, 10);
}

}  // namespace
