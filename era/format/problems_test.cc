#include "era/format/problems.h"

#include <gtest/gtest.h>

#include <set>

#include "base/error.h"
#include "base/file_test_support.h"
#include "era/read/metadata_test_support.h"

namespace {

using era::problem;
using era::problem_code;
using era::severity;
using era::structure;

TEST(problem_table, says_all_there_is_to_say_of_every_code) {
  ASSERT_EQ(era::problem_table().size(), static_cast<std::size_t>(era::nr_problem_codes));
  for (const era::problem_row& row : era::problem_table()) {
    ASSERT_NE(row.name, nullptr);
    ASSERT_NE(row.consequence, nullptr);
    ASSERT_NE(row.repair, nullptr);
    EXPECT_STRNE(row.name, "");
    EXPECT_STRNE(row.consequence, "") << row.name;
    EXPECT_STRNE(row.repair, "") << row.name;
  }
}

TEST(problem_table, has_names_that_scripts_can_tell_apart) {
  std::set<std::string> names;
  for (const era::problem_row& row : era::problem_table()) {
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_EQ(std::string(row.name).find_first_not_of("abcdefghijklmnopqrstuvwxyz-"),
              std::string::npos)
        << row.name;
  }
}

TEST(problem_table, is_in_the_order_of_the_codes) {
  const auto name = [](pd::damage_kind kind) {
    return std::string(row_of(era::code_of(kind)).name);
  };
  EXPECT_EQ(name(pd::damage_kind::block_out_of_range), "block-out-of-range");
  EXPECT_EQ(name(pd::damage_kind::node_odd_maximum), "node-odd-maximum");
  EXPECT_EQ(name(pd::damage_kind::array_block_stale), "array-block-stale");
  EXPECT_EQ(name(pd::damage_kind::map_beyond_the_end), "map-beyond-the-end");
  EXPECT_EQ(name(pd::damage_kind::count_too_high), "count-too-high");
  EXPECT_STREQ(row_of(problem_code::superblock_checksum).name, "superblock-checksum");
  EXPECT_STREQ(row_of(problem_code::writeset_gap).name, "writeset-gap");
  EXPECT_STREQ(row_of(problem_code::map_hints_never_resumed).name, "map-hints-never-resumed");
}

TEST(problem_table, has_the_severities_of_the_format) {
  const auto bad = [](pd::damage_kind kind) { return row_of(era::code_of(kind)).how_bad; };
  EXPECT_EQ(bad(pd::damage_kind::node_underfull), severity::nonfatal);
  EXPECT_EQ(bad(pd::damage_kind::node_odd_maximum), severity::remark);
  EXPECT_EQ(bad(pd::damage_kind::array_block_stale), severity::remark);
  EXPECT_EQ(bad(pd::damage_kind::map_smaller), severity::remark);
  EXPECT_EQ(bad(pd::damage_kind::map_nr_free), severity::nonfatal);
  EXPECT_EQ(bad(pd::damage_kind::map_none_free_before), severity::nonfatal);
  EXPECT_EQ(bad(pd::damage_kind::count_too_low), severity::error);
  EXPECT_EQ(bad(pd::damage_kind::count_too_high), severity::nonfatal);
  EXPECT_EQ(row_of(problem_code::writeset_era).how_bad, severity::error);
  EXPECT_EQ(row_of(problem_code::writeset_nr_bits).how_bad, severity::remark);
  EXPECT_EQ(row_of(problem_code::era_above_current).how_bad, severity::error);
  EXPECT_EQ(row_of(problem_code::era_above_archived).how_bad, severity::nonfatal);
}

TEST(severity, has_a_name) {
  EXPECT_STREQ(era::severity_name(severity::error), "error");
  EXPECT_STREQ(era::severity_name(severity::nonfatal), "non-fatal");
  EXPECT_STREQ(era::severity_name(severity::remark), "remark");
}

TEST(place, is_told_in_words) {
  EXPECT_EQ(describe(era::place{}), "superblock");
  EXPECT_EQ(describe(era::place{structure::writeset_tree}), "writeset tree");
  EXPECT_EQ(describe(era::place{structure::writeset, false, 7, false}), "writeset of era 7");
  EXPECT_EQ(describe(era::place{structure::writeset, false, 7, true}), "current writeset, era 7");
  EXPECT_EQ(describe(era::place{structure::era_array, true}), "metadata snapshot, era array");
  EXPECT_EQ(describe(era::place{structure::space_map}), "space map");
}

TEST(consequence, tells_what_exactly_is_lost) {
  const auto consequence = [](structure in, std::uint64_t first, std::uint64_t end) {
    return consequence_of(
        problem{problem_code::superblock_magic, {in, false, 4, false}, 9, "", first, end});
  };
  EXPECT_EQ(consequence(structure::writeset, 0, 10),
            "which of the data blocks 0 to 9 were written in era 4 is unknown");
  EXPECT_EQ(consequence(structure::era_array, 5, 6),
            "the last-written era of the data block 5 is unknown");
  EXPECT_EQ(consequence(structure::writeset_tree, 5, 8),
            "which blocks were written in the eras 5 to 7 is unknown");
}

TEST(consequence, is_that_of_the_table_where_nothing_exact_is_known) {
  for (const structure in : {structure::superblock, structure::writeset, structure::space_map}) {
    EXPECT_EQ(consequence_of(problem{problem_code::superblock_magic, {in}, 9, ""}),
              row_of(problem_code::superblock_magic).consequence);
  }
}

TEST(damage_in_a_structure, is_passed_on_in_its_own_units) {
  era::test::problem_recorder recorder;
  const pd::damage found{pd::damage_kind::block_checksum, 9, "what", 2, 5};
  const auto passed_on = [&](structure in) {
    recorder.problems.clear();
    era::damage_in({in, false, 4, false}, recorder, 300).damaged(found);
    return std::pair(recorder.problems.at(0).first_lost, recorder.problems.at(0).end_lost);
  };
  EXPECT_EQ(passed_on(structure::era_array), std::pair(2UL, 5UL));
  EXPECT_EQ(passed_on(structure::writeset), std::pair(128UL, 300UL));  // 64 blocks a word
  EXPECT_EQ(passed_on(structure::writeset_tree), std::pair(2UL, 5UL));
  EXPECT_EQ(recorder.problems[0].block, 9U);
  EXPECT_EQ(recorder.problems[0].what, "what");
  EXPECT_STREQ(row_of(recorder.problems[0].code).name, "block-checksum");
}

TEST(damage_in_a_structure, ends_with_the_last_era_there_can_be) {
  era::test::problem_recorder recorder;
  era::damage_in({structure::writeset_tree}, recorder, 13)
      .damaged({pd::damage_kind::block_checksum, 9, "", 7, UINT64_MAX});
  EXPECT_EQ(recorder.problems[0].end_lost, 13U);
  era::damage_in({structure::writeset_tree}, recorder, 13)
      .damaged({pd::damage_kind::block_checksum, 9, "", 20, UINT64_MAX});
  EXPECT_EQ(recorder.problems[1].first_lost, 20U);
  EXPECT_TRUE(recorder.problems[1].loses());
}

TEST(bounded_sink, passes_on_the_first_thousand_of_each_code) {
  era::test::problem_recorder recorder;
  era::bounded_sink sink(recorder);
  for (int i = 0; i < 1500; ++i) {
    sink.found({problem_code::writeset_gap, {}, 1, ""});
  }
  sink.found({problem_code::writeset_era, {}, 1, ""});
  EXPECT_EQ(recorder.problems.size(), 1001U);
  EXPECT_EQ(sink.not_shown(problem_code::writeset_gap), 500U);
  EXPECT_EQ(sink.not_shown(problem_code::writeset_era), 0U);
  EXPECT_EQ(sink.not_shown(), 500U);
}

TEST(strict_sink, throws_at_what_decides_the_answer) {
  era::strict_sink sink("meta");
  problem gap{problem_code::writeset_gap, {structure::writeset}, 9, "what is wrong"};
  EXPECT_NO_THROW(sink.found(gap));
  gap.decisive = true;
  EXPECT_THROW(sink.found(gap), era::damage_error);
}

TEST(strict_sink, throws_at_the_first_error_and_at_nothing_less) {
  era::strict_sink sink("meta");
  for (int code = 0; code < era::nr_problem_codes; ++code) {
    const problem p{static_cast<problem_code>(code), {structure::era_array}, 9, "what is wrong"};
    if (row_of(p.code).how_bad == severity::error) {
      const std::string message = base::test::message_of<base::data_error>([&] { sink.found(p); });
      EXPECT_TRUE(message.starts_with("meta: block 9 (era array): what is wrong; ")) << message;
    } else {
      EXPECT_NO_THROW(sink.found(p));
    }
  }
}

}  // namespace
