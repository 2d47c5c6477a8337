#include "era/simulation/era_model.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_test_support.h"
#include "era/read/metadata_test_support.h"

namespace {

using base::test::message_of;
using era::era_state;
using era::superblock;
using era::test::metadata_maker;
using era::test::model;
using era::test::model_writeset;
using eras = std::vector<std::uint32_t>;
using texts = std::vector<std::string>;

// ---- reading ----

model small_model() {
  model m;
  m.current_era = 5;
  m.array = {1, 0, 2, 2};
  m.archived = {{3, {false, true, false, false}}, {4, {false, false, true, false}}};
  return m;
}

TEST(read_sound_state, finds_nothing_on_a_device_that_was_never_formatted) {
  pd::memory_device device(20);
  device.block(7)[0] = std::byte{1};
  EXPECT_FALSE(era::read_sound_state(device));
}

TEST(read_sound_state, has_the_newest_era_of_each_block) {
  pd::memory_device device(60);
  model m = small_model();
  write_metadata(device, m);
  EXPECT_EQ(era::read_sound_state(device)->eras, (eras{1, 3, 4, 2}));
  m.current = std::vector<bool>{true, false, false, false};
  write_metadata(device, m);
  const auto found = era::read_sound_state(device);
  EXPECT_EQ(found->eras, (eras{5, 3, 4, 2}));
  EXPECT_EQ(found->current_era, 5U);
  EXPECT_FALSE(found->snapshot);
}

TEST(read_sound_state, has_the_eras_of_more_blocks_than_are_read_at_once) {
  pd::memory_device device(600);
  model m;
  m.current_era = 9;
  for (std::uint32_t block = 0; block < 270000; ++block) {
    m.array.push_back(block % 9);
  }
  write_metadata(device, m);
  EXPECT_EQ(era::read_sound_state(device)->eras, m.array);
}

TEST(read_sound_state, has_what_the_snapshot_holds_without_the_open_era) {
  pd::memory_device device(60);
  model m = small_model();
  m.current = std::vector<bool>(4, true);
  write_with_snapshot(device, m);
  EXPECT_EQ(era::read_sound_state(device)->snapshot, (eras{1, 3, 4, 2}));
  EXPECT_EQ(era::read_sound_state(device)->eras, (eras{5, 5, 5, 5}));
}

TEST(read_sound_state, takes_no_leak) {
  pd::memory_device device(60);
  metadata_maker maker(device);
  const superblock live = write_trees(maker, small_model());
  maker.bitset(std::vector<bool>(8));
  maker.finish(live);
  EXPECT_NE(
      message_of<base::data_error>([&] { era::read_sound_state(device); }).find("named 0 times"),
      std::string::npos);
}

TEST(read_sound_state, takes_no_damage) {
  pd::memory_device device(60);
  const superblock live = write_metadata(device, small_model());
  pd::test::spoil(device, live.era_array_root);
  EXPECT_NE(message_of<base::data_error>([&] {
              era::read_sound_state(device);
            }).find("memory: block " + std::to_string(live.era_array_root) + " (era array)"),
            std::string::npos);
}

TEST(read_sound_state, takes_what_is_worth_a_remark_only) {
  pd::memory_device device(60);
  model m = small_model();
  m.archived[1].bits.resize(9);
  write_metadata(device, m);
  EXPECT_EQ(era::read_sound_state(device)->eras, (eras{1, 3, 4, 2}));
}

// ---- the model ----

class era_model : public testing::Test {
 protected:
  era_model() {
    model_.resize(4);
    model_.begin_era();
    model_.wrote({1, 3});
    model_.begin_era();
    model_.wrote({2, 3});
  }

  texts differences(const era_state& found) const { return model_.differences(found); }

  era::era_model model_;
};

TEST_F(era_model, keeps_the_era_of_the_last_write) {
  EXPECT_EQ(model_.state().current_era, 2U);
  EXPECT_EQ(model_.state().eras, (eras{0, 1, 2, 0}));
  EXPECT_EQ(differences({2, {0, 1, 2, 0}, {}}), texts{});
}

TEST_F(era_model, names_each_block_that_differs) {
  EXPECT_EQ(differences({2, {0, 0, 2, 2}, {}}),
            (texts{"block 1: last written in era 1, but found in era 0",
                   "block 3: last written in era 0, but found in era 2"}));
  EXPECT_EQ(differences({2, {0, 1, 1, 0}, {}}),
            (texts{"block 2: last written in era 2, but found in era 1"}));
}

TEST_F(era_model, names_another_era_or_length) {
  EXPECT_EQ(differences({1, {0, 1, 2, 0}, {}}), (texts{"the current era is 1, not 2"}));
  EXPECT_EQ(differences({3, {0, 1, 2, 0}, {}}), (texts{"the current era is 3, not 2"}));
  EXPECT_EQ(differences({2, {0, 1, 2}, {}}), (texts{"3 data blocks, not 4"}));
  EXPECT_EQ(differences({2, {0, 1, 2, 0, 0}, {}}), (texts{"5 data blocks, not 4"}));
  EXPECT_EQ(differences({2, {0, 1, 2, 0, 1}, {}}),
            (texts{"5 data blocks, not 4", "block 4: last written in era 0, but found in era 1"}));
}

TEST_F(era_model, knows_what_the_snapshot_holds) {
  const texts other{"the metadata snapshot holds other eras than when it was taken"};
  EXPECT_EQ(differences({2, {0, 1, 2, 0}, eras{0, 1, 2, 0}}), other) << "there is none";
  model_.take_snapshot();
  model_.wrote({0, 4});
  EXPECT_EQ(differences({2, {2, 2, 2, 2}, eras{0, 1, 2, 0}}), texts{});
  EXPECT_EQ(differences({2, {2, 2, 2, 2}, eras{0, 1, 1, 0}}), other);
  EXPECT_EQ(differences({2, {2, 2, 2, 2}, eras{0, 1, 2}}), other);
  EXPECT_EQ(differences({2, {2, 2, 2, 2}, {}}), other);
  model_.drop_snapshot();
  EXPECT_EQ(differences({2, {2, 2, 2, 2}, {}}), texts{});
}

// An archived writeset is as long as the device was, so its marks count again (doc/format.md 5).
TEST_F(era_model, lets_old_eras_show_where_a_device_shrank_and_grew_again) {
  model_.resize(2);
  EXPECT_EQ(differences({2, {0, 1}, {}}), texts{});
  model_.resize(6);
  EXPECT_EQ(differences({2, {0, 1, 0, 0, 0, 0}, {}}), texts{});
  EXPECT_EQ(differences({2, {0, 1, 2, 0, 0, 0}, {}}), texts{}) << "as it was before";
  EXPECT_EQ(differences({2, {0, 1, 1, 0, 0, 0}, {}}), texts{}) << "in some archived era";
  EXPECT_EQ(differences({2, {0, 1, 0, 1, 0, 0}, {}}).size(), 1U) << "it never had an era";
  EXPECT_EQ(differences({2, {0, 1, 0, 0, 0, 1}, {}}).size(), 1U) << "it was never there";
  model_.begin_era();
  model_.wrote({2, 3});
  EXPECT_EQ(differences({3, {0, 1, 2, 0, 0, 0}, {}}).size(), 1U) << "it was written since";
}

TEST_F(era_model, takes_each_block_as_before_or_after_where_the_power_failed_in_between) {
  era::era_model after = model_;
  after.begin_era();
  after.wrote({0, 2});
  for (const eras& found : {eras{0, 1, 2, 0}, eras{3, 1, 2, 0}, eras{0, 3, 2, 0}}) {
    for (const std::uint32_t era : {2U, 3U}) {
      EXPECT_EQ(model_.differences({era, found, {}}, &after), texts{});
    }
  }
  EXPECT_EQ(model_.differences({2, {2, 1, 2, 0}, {}}, &after).size(), 1U);
  EXPECT_EQ(model_.differences({3, {3, 3, 3, 0}, {}}, &after).size(), 1U);
  EXPECT_EQ(model_.differences({1, {0, 1, 2, 0}, {}}, &after).size(), 1U);
  EXPECT_EQ(model_.differences({4, {0, 1, 2, 0}, {}}, &after).size(), 1U);
}

TEST_F(era_model, takes_the_snapshot_as_before_or_after_where_the_power_failed_in_between) {
  era::era_model after = model_;
  after.take_snapshot();
  EXPECT_EQ(model_.differences({2, {0, 1, 2, 0}, {}}, &after), texts{});
  EXPECT_EQ(model_.differences({2, {0, 1, 2, 0}, eras{0, 1, 2, 0}}, &after), texts{});
  EXPECT_EQ(model_.differences({2, {0, 1, 2, 0}, eras{0, 1, 2, 1}}, &after).size(), 1U);
}

TEST_F(era_model, takes_either_length_where_the_power_failed_in_a_resize) {
  era::era_model after = model_;
  after.resize(3);
  EXPECT_EQ(model_.differences({2, {0, 1, 2, 0}, {}}, &after), texts{});
  EXPECT_EQ(model_.differences({2, {0, 1, 2}, {}}, &after), texts{});
  EXPECT_EQ(model_.differences({2, {0, 1}, {}}, &after), (texts{"2 data blocks, not 4"}));
}

TEST_F(era_model, goes_on_from_what_was_found) {
  model_.adopt({7, {5, 6}, eras{4}});
  EXPECT_EQ(differences({7, {5, 6}, eras{4}}), texts{});
  model_.resize(4);
  EXPECT_EQ(differences({7, {5, 6, 2, 0}, eras{4}}), texts{}) << "cut off by what was found";
  era::era_model fresh;
  fresh.adopt({7, {5, 6}, {}});
  fresh.begin_era();
  fresh.wrote({1, 2});
  EXPECT_EQ(fresh.differences({8, {5, 8}, {}}), texts{});
}

TEST(era_model_learned, does_not_know_what_lay_behind_the_end) {
  era::era_model model;
  model.learn({7, {1, 2}, std::nullopt});
  model.resize(4);
  model.begin_era();
  EXPECT_TRUE(model.differences({8, {1, 2, 0, 7}, std::nullopt}).empty());
  EXPECT_EQ(model.differences({8, {1, 2, 0, 8}, std::nullopt}).size(), 1U);
  EXPECT_EQ(model.differences({8, {1, 7, 0, 0}, std::nullopt}).size(), 1U);
}

}  // namespace
