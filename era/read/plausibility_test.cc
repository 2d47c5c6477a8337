#include "era/read/plausibility.h"

#include <gtest/gtest.h>

#include "base/file_test_support.h"
#include "era/list/list_format.h"
#include "era/read/metadata_test_support.h"

namespace {

using base::test::message_of;
using era::metadata_state;
using era::test::model;
using names = std::vector<std::string>;

// Ten blocks; eras 4 and 5 archived, 6 open.
model usual_model() {
  model m;
  m.array.assign(10, 2);
  m.current_era = 6;
  m.archived.push_back({4, std::vector<bool>(10, true)});
  m.archived.push_back({5, std::vector<bool>(10, true)});
  m.current = std::vector<bool>(10);
  return m;
}

// Metadata of a model and its state, live or as a snapshot would hold it.
struct state {
  explicit state(const model& from, metadata_state which = metadata_state::live)
      : live(write_metadata(device, from)),
        file(device),
        read(file.read_state(live, which, problems)) {}

  std::string refusal_since(std::uint32_t since) {
    return message_of<base::data_error>([&] { require_possible(read, since, "meta"); });
  }

  pd::memory_device device{100};
  era::superblock live;
  era::test::problem_recorder problems;
  era::metadata_file file;
  era::metadata read;
};

TEST(archived_era, is_not_later_than_the_current_one) {
  model m = usual_model();
  EXPECT_EQ(state(m).problems.names(), names{});
  m.archived[1].era = 7;
  EXPECT_EQ(state(m).problems.names(), names{"writeset-era"});
  m.archived[1].era = 6;
  EXPECT_EQ(state(m).problems.names(), names{"writeset-era"});
  m.current.reset();
  EXPECT_EQ(state(m).problems.names(), names{});
  EXPECT_EQ(state(m, metadata_state::snapshot).problems.names(), names{"writeset-era"});
}

TEST(era_to_ask_for, is_at_most_the_one_after_the_current_one) {
  state live(usual_model());
  for (const std::uint32_t since : {0U, 6U, 7U}) {
    EXPECT_NO_THROW(require_possible(live.read, since, "meta"));
  }
  EXPECT_NE(live.refusal_since(8).find("since era 8"), std::string::npos);
  EXPECT_NE(live.refusal_since(8).find("current era is 6"), std::string::npos);
  EXPECT_NE(live.refusal_since(UINT32_MAX).find("Take every block as written"), std::string::npos);
}

TEST(era_to_ask_for, is_at_most_the_current_one_of_a_snapshot) {
  state held(usual_model(), metadata_state::snapshot);
  EXPECT_NO_THROW(require_possible(held.read, 6, "meta"));
  EXPECT_NE(held.refusal_since(7).find("older than the last round"), std::string::npos);
}

TEST(era_to_ask_for, does_not_wrap) {
  model m;
  m.array.assign(10, 0);
  m.current_era = UINT32_MAX;
  state last(m);
  EXPECT_NO_THROW(require_possible(last.read, UINT32_MAX, "meta"));
}

// "5-6 9-9": the gaps.
std::string gaps_of(const model& m, metadata_state which = metadata_state::live) {
  const state of(m, which);
  std::string all;
  for (const era::era_gap& gap : missing_eras(of.read)) {
    all += (all.empty() ? "" : " ") + std::to_string(gap.first) + "-" + std::to_string(gap.last);
  }
  return all;
}

TEST(missing_eras, are_those_between_archived_ones_and_up_to_the_current_one) {
  model m = usual_model();
  EXPECT_EQ(gaps_of(m), "");
  EXPECT_EQ(gaps_of(m, metadata_state::snapshot), "");
  m.archived[0].era = 2;
  EXPECT_EQ(gaps_of(m), "3-4");
  m.current_era = 8;
  EXPECT_EQ(gaps_of(m), "3-4 6-7");
  EXPECT_EQ(gaps_of(m, metadata_state::snapshot), "3-4 6-7");
  m.current.reset();
  EXPECT_EQ(gaps_of(m), "3-4 6-8");
  m.archived.clear();
  EXPECT_EQ(gaps_of(m), "") << "all are digested";
}

era::written_list list(state& of, std::uint32_t since, era::problem_sink& sink) {
  base::no_progress silent;
  return list_written_blocks(of.file, metadata_state::live, {since}, sink, silent);
}

TEST(missing_eras, end_a_list_that_begins_before_them) {
  model m = usual_model();
  m.archived[0].era = 2;
  state gap(m);
  era::strict_sink strict("meta");
  for (const std::uint32_t since : {0U, 3U, 4U}) {
    const std::string message = message_of<era::damage_error>([&] { list(gap, since, strict); });
    EXPECT_NE(message.find("the eras 3 to 4 are missing"), std::string::npos) << message;
  }
  EXPECT_EQ(list(gap, 5, strict).facts.total_blocks, 10U);
  EXPECT_EQ(list(gap, 6, strict).facts.total_blocks, 0U);
}

TEST(missing_eras, have_every_block_listed_where_that_is_tolerated) {
  model m = usual_model();
  m.archived = {{2, std::vector<bool>(10)}, {5, std::vector<bool>(10)}};
  state gap(m);
  EXPECT_EQ(list(gap, 4, gap.problems).facts.total_blocks, 10U);
  EXPECT_EQ(list(gap, 5, gap.problems).facts.total_blocks, 0U);
}

TEST(list, is_refused_where_the_array_has_an_era_later_than_the_current_one) {
  model m = usual_model();
  m.array[3] = 7;
  state wrong(m);
  era::strict_sink strict("meta");
  const std::string message = message_of<era::damage_error>([&] { list(wrong, 0, strict); });
  EXPECT_NE(message.find("data block 3 has era 7, but the current era is 6"), std::string::npos)
      << message;
}

TEST(list, is_refused_where_its_bytes_cannot_be_counted) {
  EXPECT_THROW(era::geometry(0xFFFFFFF8, 0x7FFFFFFF), base::data_error);
  EXPECT_EQ(era::geometry(0xFFFFFFF8, 0x00800000).bytes_of(0x00800000),
            std::uint64_t{0xFFFFFFF8} * 512 * 0x00800000);
}

}  // namespace
