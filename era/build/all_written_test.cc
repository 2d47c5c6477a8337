#include "era/build/all_written.h"

#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/build/metadata_builder.h"
#include "era/check/check.h"
#include "era/read/metadata_test_support.h"

namespace {

using base::test::message_of;
using era::all_written;

struct recorder final : era::contents_sink {
  void begin(const era::superblock_facts& given) override { facts = given; }
  void begin_writeset(std::uint32_t, std::uint32_t, era::text_position) override { FAIL(); }
  void bits(std::span<const era::contents_run>) override { FAIL(); }
  void bits(era::window_ptr) override { FAIL(); }
  void end_writeset() override { FAIL(); }
  void eras(std::span<const era::contents_run> runs) override {
    array.insert(array.end(), runs.begin(), runs.end());
  }
  void eras(era::window_ptr) override { FAIL(); }
  void end() override { ended = true; }

  era::superblock_facts facts;
  std::vector<era::contents_run> array;
  bool ended = false;
};

recorder all_written_of(const era::superblock_facts& facts,
                        std::optional<std::uint32_t> new_era = std::nullopt) {
  recorder told;
  all_written change(told, new_era);
  change.begin(facts);
  change.begin_writeset(3, 10, {});
  const era::contents_run run = {2, 3, 1, {}};
  change.bits({&run, 1});
  change.bits(std::make_shared<era::contents_window>());
  change.end_writeset();
  change.eras({&run, 1});
  change.eras(std::make_shared<era::contents_window>());
  change.end();
  return told;
}

std::string refusal_of(std::uint32_t current_era, std::optional<std::uint32_t> new_era) {
  return message_of<era::contents_conflict>([&] { all_written_of({8, 10, current_era}, new_era); });
}

TEST(all_written, gives_every_block_the_new_current_era) {
  const recorder told = all_written_of({128, 10, 5});
  EXPECT_TRUE(told.ended);
  EXPECT_EQ(told.facts.block_size, 128U);
  EXPECT_EQ(told.facts.nr_blocks, 10U);
  EXPECT_EQ(told.facts.current_era, 1'000'005U);
  ASSERT_EQ(told.array.size(), 1U);
  EXPECT_EQ(told.array[0].first, 0U);
  EXPECT_EQ(told.array[0].count, 10U);
  EXPECT_EQ(told.array[0].value, 1'000'005U);
}

TEST(all_written, takes_any_later_era) {
  EXPECT_EQ(all_written_of({8, 10, 5}, 6).facts.current_era, 6U);
  EXPECT_EQ(all_written_of({8, 10, 5}, UINT32_MAX).array.at(0).value, UINT32_MAX);
  EXPECT_EQ(all_written_of({8, 10, UINT32_MAX - 1'000'000}).facts.current_era, UINT32_MAX);
}

TEST(all_written, has_no_eras_to_give_where_there_are_no_blocks) {
  const recorder told = all_written_of({8, 0, 0});
  EXPECT_TRUE(told.ended);
  EXPECT_TRUE(told.array.empty());
}

TEST(all_written, refuses_an_era_that_is_not_later) {
  EXPECT_EQ(refusal_of(5, 5), "current_era is 5: the new one must be later, and 5 is not");
  EXPECT_EQ(refusal_of(5, 0), "current_era is 5: the new one must be later, and 0 is not");
}

TEST(all_written, says_what_to_do_where_eras_run_out) {
  EXPECT_NE(refusal_of(4294000000, std::nullopt).find("from 4294000001 to 4294967295"),
            std::string::npos);
  EXPECT_NE(refusal_of(UINT32_MAX, std::nullopt).find("no later era is left"), std::string::npos);
  EXPECT_NE(refusal_of(UINT32_MAX, 7).find("no later era is left"), std::string::npos);
}

TEST(all_written, makes_metadata_without_a_fault) {
  pd::memory_device device(64);
  era::metadata_builder building(device);
  all_written change(building);
  change.begin({8, 5000, 7});
  change.begin_writeset(6, 5000, {});
  change.end_writeset();
  change.end();
  era::test::problem_recorder problems;
  base::no_progress silent;
  era::check(device, {}, problems, silent);
  EXPECT_EQ(problems.text(), "");
}

}  // namespace
