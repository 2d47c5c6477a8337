#include "era/read/contents_reader.h"

#include <gtest/gtest.h>

#include <functional>

#include "base/file_test_support.h"
#include "era/read/metadata_test_support.h"
#include "persistent-data/faulty_device.h"

namespace {

using era::contents_options;
using era::test::model;
using era::test::model_in_era_6;
using era::test::model_writeset;
using pd::block_nr;

constexpr std::uint32_t nr_blocks = 3000;

// What a source said, as a model: every writeset is an archived one.
class model_sink final : public era::contents_sink {
 public:
  void begin(const era::superblock_facts& facts) override {
    said.current_era = facts.current_era;
    said.array.assign(facts.nr_blocks, 0);
  }
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, era::text_position) override {
    said.archived.push_back({era, std::vector<bool>(nr_bits)});
  }
  void bits(std::span<const era::contents_run>) override { FAIL() << "not from metadata"; }
  void bits(era::window_ptr window) override {
    for (std::uint64_t i = 0; i < window->count; ++i) {
      said.archived.back().bits[window->first + i] = (window->bits[i / 64] >> i % 64 & 1) != 0;
    }
  }
  void end_writeset() override {}
  void eras(std::span<const era::contents_run>) override { FAIL() << "not from metadata"; }
  void eras(era::window_ptr window) override {
    std::copy(window->eras.begin(), window->eras.end(),
              said.array.begin() + static_cast<std::ptrdiff_t>(window->first));
  }
  void end() override { complete = true; }

  model said;
  bool complete = false;
};

// Does something when a stage begins.
class stage_watcher final : public base::progress {
 public:
  explicit stage_watcher(std::function<void()> when_dumping) : when_dumping_(when_dumping) {}
  void begin(const std::string& stage, std::uint64_t) override {
    if (stage == "dumping") {
      when_dumping_();
    }
  }
  void at(std::uint64_t, std::uint64_t) override {}

 private:
  std::function<void()> when_dumping_;
};

class metadata {
 public:
  explicit metadata(const model& from) : live(write_metadata(device, from)) {}

  model repaired(bool logical = false) {
    base::no_progress silent;
    return send({era::metadata_state::live, logical, true}, problems, silent);
  }

  model send(const contents_options& options, era::problem_sink& sink, base::progress& progress) {
    era::metadata_file file(faulty);
    model_sink into;
    send_contents(file, options, sink, into, progress);
    EXPECT_TRUE(into.complete);
    return into.said;
  }

  pd::memory_device device{200};
  pd::faulty_device faulty{device};
  era::superblock live;
  era::test::problem_recorder problems;
};

std::vector<std::uint32_t> eras_of(const model& m) {
  std::vector<std::uint32_t> eras;
  for (const model_writeset& set : m.archived) {
    eras.push_back(set.era);
  }
  return eras;
}

using eras = std::vector<std::uint32_t>;

// What a target's digestion takes for granted.
void expect_sound(const model& m) {
  for (std::size_t i = 0; i < m.archived.size(); ++i) {
    EXPECT_EQ(m.archived[i].era, m.archived[0].era + i);
    EXPECT_LE(m.archived[i].era, m.current_era);
  }
  for (const std::uint32_t era : m.array) {
    ASSERT_LE(era, m.archived.empty() ? m.current_era : m.archived[0].era);
  }
}

TEST(contents_reader, says_what_the_metadata_holds) {
  const model m = model_in_era_6();
  base::no_progress silent;
  era::strict_sink strict("meta");
  const model said = metadata(m).send({}, strict, silent);
  EXPECT_EQ(eras_of(said), (eras{4, 5, 6}));
  EXPECT_EQ(said.array, m.array);
  EXPECT_EQ(said.archived[2].bits, *m.current);
}

TEST(contents_reader, refuses_missing_eras) {
  model m = model_in_era_6();
  m.archived.erase(m.archived.begin() + 1);
  base::no_progress silent;
  era::strict_sink strict("meta");
  for (const bool logical : {false, true}) {
    EXPECT_THROW(metadata(m).send({era::metadata_state::live, logical}, strict, silent),
                 era::damage_error);
  }
}

TEST(repaired_contents, have_every_block_written_in_the_latest_missing_era) {
  model m = model_in_era_6();
  m.archived.erase(m.archived.begin() + 1);
  const model said = metadata(m).repaired();
  expect_sound(said);
  EXPECT_EQ(eras_of(said), eras{6});
  EXPECT_EQ(said.array, eras(nr_blocks, 5));
  EXPECT_TRUE(said.archived[0].bits[30]);

  const model logical = metadata(m).repaired(true);
  EXPECT_EQ(logical.array[10], 5U);
  EXPECT_EQ(logical.array[30], 6U);
}

TEST(repaired_contents, have_every_block_written_in_a_current_era_that_is_missing) {
  model m = model_in_era_6();
  m.current.reset();
  const model said = metadata(m).repaired();
  EXPECT_EQ(said.current_era, 6U);
  EXPECT_EQ(eras_of(said), eras{});
  EXPECT_EQ(said.array, eras(nr_blocks, 6));
}

TEST(repaired_contents, have_no_era_later_than_the_current_one) {
  model m = model_in_era_6();
  m.array[7] = 9;
  const model in_array = metadata(m).repaired();
  expect_sound(in_array);
  EXPECT_EQ(in_array.current_era, 9U);
  EXPECT_EQ(in_array.array, eras(nr_blocks, 9)) << "all others may have been written after a wrap";
}

TEST(repaired_contents, have_what_may_be_of_a_wrapped_counter_in_the_current_era) {
  model m = model_in_era_6();
  m.current_era = 2;  // the eras 3 to 5 are those of before
  m.array[40] = 0;
  m.array[41] = 2;
  m.archived.insert(m.archived.begin(), {1, std::vector<bool>(nr_blocks)});
  m.archived[0].bits[50] = true;
  const model said = metadata(m).repaired();
  expect_sound(said);
  EXPECT_EQ(said.current_era, 5U);
  EXPECT_EQ(said.last_written(20), 5U);
  for (const std::uint64_t block : {30U, 40U, 41U, 50U}) {
    EXPECT_EQ(said.last_written(block), 5U) << block;
  }
}

TEST(repaired_contents, have_no_era_in_the_array_that_digestion_would_lower) {
  model m = model_in_era_6();
  m.array[7] = 5;
  const model said = metadata(m).repaired();
  expect_sound(said);
  for (std::uint64_t block = 0; block < nr_blocks; ++block) {
    ASSERT_EQ(said.last_written(block), m.last_written(block)) << block;
  }
}

TEST(repaired_contents, have_what_was_lost_in_the_writeset_of_the_current_era) {
  const model m = model_in_era_6();
  metadata damaged(m);
  pd::test::spoil(damaged.device,
                  pd::test::child_of(damaged.device, damaged.live.era_array_root, 1));
  const model said = damaged.repaired();
  expect_sound(said);
  EXPECT_EQ(eras_of(said), (eras{4, 5, 6}));
  for (std::uint64_t block = 0; block < nr_blocks; ++block) {
    const bool lost = 1018 <= block && block < 2036;
    ASSERT_EQ(said.last_written(block), lost ? 6U : m.last_written(block)) << block;
  }
}

// 8 million bits of a device of few blocks would be 350 MB of XML.
TEST(repaired_contents, end_a_damaged_writeset_with_the_device) {
  model m = model_in_era_6();
  m.archived[0].bits.resize(2 * 32576);
  metadata damaged(m);
  const auto root = base::get_le64(
      pd::node_view(damaged.device.block(damaged.live.writeset_tree_root)).value(0) + 4);
  EXPECT_EQ(damaged.repaired().archived[0].bits.size(), 2U * 32576);
  pd::test::spoil(damaged.device, pd::test::child_of(damaged.device, root, 1));
  EXPECT_EQ(damaged.repaired().archived[0].bits.size(), nr_blocks);
}

// A device of which nothing but the superblock can be read any more once all was verified.
void kill(metadata& dying) {
  for (block_nr block = 1; block < dying.device.nr_blocks(); ++block) {
    dying.faulty.fail_reads_of(block);
  }
}

TEST(dying_device, loses_nothing_without_a_word) {
  const model m = model_in_era_6();
  metadata dying(m);
  stage_watcher dies([&] { kill(dying); });
  const model said = dying.send({era::metadata_state::live, false, true}, dying.problems, dies);
  EXPECT_FALSE(dying.problems.problems.empty());
  for (std::uint64_t block = 0; block < nr_blocks; ++block) {
    ASSERT_GE(said.last_written(block), m.last_written(block)) << block;
  }
  EXPECT_EQ(said.array[0], 6U);
  EXPECT_TRUE(said.archived[0].bits[0]);
}

TEST(dying_device, ends_a_dump_that_needs_all) {
  metadata dying(model_in_era_6());
  stage_watcher dies([&] { kill(dying); });
  era::strict_sink strict("meta");
  EXPECT_THROW(dying.send({}, strict, dies), era::damage_error);
}

TEST(dying_device, is_told_of_once_where_it_was_damaged_before) {
  metadata damaged(model_in_era_6());
  const block_nr block = pd::test::child_of(damaged.device, damaged.live.era_array_root, 1);
  pd::test::spoil(damaged.device, block);
  damaged.repaired();
  EXPECT_EQ(damaged.problems.problems.size(), 1U);
}

}  // namespace
