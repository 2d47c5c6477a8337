#include "era/build/metadata_builder.h"

#include <gtest/gtest.h>

#include "era/check/check.h"
#include "era/read/contents_reader.h"
#include "era/read/metadata_test_support.h"

namespace {

using era::contents_run;
using era::metadata_builder;
using era::test::model;

// What a sink was told, in a form that does not depend on runs and windows.
struct told_sink final : era::contents_sink {
  void begin(const era::superblock_facts& f) override { facts = f; }
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, era::text_position) override {
    writesets[era].resize(nr_bits);
    present = &writesets[era];
  }
  void bits(std::span<const contents_run>) override { FAIL() << "windows are expected"; }
  void bits(era::window_ptr window) override {
    for (std::uint64_t i = 0; i < window->count; ++i) {
      present->at(window->first + i) = (window->bits[i / 64] >> i % 64 & 1) != 0;
    }
  }
  void end_writeset() override {}
  void eras(std::span<const contents_run>) override { FAIL() << "windows are expected"; }
  void eras(era::window_ptr window) override {
    EXPECT_EQ(window->first, array.size());
    array.insert(array.end(), window->eras.begin(),
                 window->eras.begin() + static_cast<std::ptrdiff_t>(window->count));
  }
  void end() override { ended = true; }

  era::superblock_facts facts;
  std::map<std::uint32_t, std::vector<bool>> writesets;
  std::vector<bool>* present = nullptr;
  std::vector<std::uint32_t> array;
  bool ended = false;
};

void send(pd::block_device& device, era::contents_sink& into) {
  era::metadata_file file(device);
  era::strict_sink strict(device.name());
  base::no_progress silent;
  send_contents(file, {}, strict, into, silent);
}

std::string problems_of(pd::block_device& device) {
  era::test::problem_recorder problems;
  base::no_progress silent;
  era::check(device, {}, problems, silent);
  return problems.text();
}

// More blocks than a window of the reader has.
model large_model() {
  std::mt19937_64 random(3);
  model m;
  m.current_era = 9;
  for (std::uint32_t b = 0; b < era::era_reader::window + 5000; ++b) {
    m.array.push_back(b % 1000 < 900 ? 2 : static_cast<std::uint32_t>(random() % 7));
  }
  m.archived.push_back({7, era::test::random_bits(m.array.size(), 30, random)});
  m.archived.push_back({8, std::vector<bool>(m.array.size() + 100, true)});
  m.current = era::test::random_bits(m.array.size(), 2, random);
  return m;
}

TEST(metadata_builder, writes_what_a_reader_of_metadata_says) {
  const model m = large_model();
  pd::memory_device from(4000);
  write_metadata(from, m);
  pd::memory_device to(4000);
  metadata_builder building(to, metadata_builder::current_writeset::open);
  send(from, building);
  EXPECT_EQ(problems_of(to), problems_of(from));

  told_sink told;
  send(to, told);
  EXPECT_TRUE(told.ended);
  EXPECT_EQ(told.facts.block_size, 128U);
  EXPECT_EQ(told.facts.nr_blocks, m.nr_blocks());
  EXPECT_EQ(told.facts.current_era, 9U);
  EXPECT_EQ(told.array, m.array);
  ASSERT_EQ(told.writesets.size(), 3U);
  EXPECT_EQ(told.writesets[7], m.archived[0].bits);
  EXPECT_EQ(told.writesets[8], m.archived[1].bits);
  EXPECT_EQ(told.writesets[9], *m.current);
  EXPECT_TRUE(era::decode_superblock(to.block(0)).current_open());
}

TEST(metadata_builder, archives_the_writeset_of_the_current_era_unless_told_otherwise) {
  model m;
  m.current_era = 3;
  m.array.assign(10, 1);
  m.current = std::vector<bool>(10, true);
  pd::memory_device from(64);
  write_metadata(from, m);
  pd::memory_device to(64);
  metadata_builder building(to);
  send(from, building);
  EXPECT_FALSE(era::decode_superblock(to.block(0)).current_open());
  EXPECT_EQ(problems_of(to), "");
}

TEST(metadata_builder, refuses_a_second_writeset_of_an_era) {
  pd::memory_device device(64);
  metadata_builder building(device);
  building.begin({8, 10, 3});
  building.begin_writeset(2, 10, {4, 1});
  building.end_writeset();
  EXPECT_THROW(building.begin_writeset(2, 10, {9, 1}), era::contents_conflict);
  EXPECT_TRUE(std::all_of(device.block(0), device.block(1), [](std::byte b) {
    return b == std::byte{0};
  })) << "nothing is written before all is known to be good";
}

TEST(metadata_builder, says_how_much_room_is_needed_before_it_writes) {
  pd::memory_device device(5);
  metadata_builder building(device);
  EXPECT_THROW(building.begin({8, 100000, 3}), base::io_error);
}

}  // namespace
