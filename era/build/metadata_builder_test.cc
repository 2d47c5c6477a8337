#include "era/build/metadata_builder.h"

#include <gtest/gtest.h>

#include <cstring>
#include <functional>

#include "base/file_test_support.h"
#include "era/check/check.h"
#include "era/read/contents_reader.h"
#include "era/read/metadata_test_support.h"
#include "persistent-data/faulty_device.h"

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

// The conflict in contents that are told by `tell`, and the line where it is.
std::pair<std::string, std::uint64_t> conflict_in(
    const std::function<void(metadata_builder&)>& tell) {
  pd::memory_device device(64);
  metadata_builder building(device);
  building.begin({8, 10, 9});
  try {
    tell(building);
  } catch (const era::contents_conflict& conflict) {
    return {conflict.what(), conflict.at().line};
  }
  building.end();
  EXPECT_EQ(problems_of(device), "");
  return {"", 0};
}

void add_writeset(metadata_builder& building, std::uint32_t era) {
  building.begin_writeset(era, 10, {100 + era, 1});
  building.end_writeset();
}

void add_eras(metadata_builder& building, std::uint32_t value, std::uint64_t line) {
  const contents_run run = {3, 2, value, {line, 1}};
  building.eras({&run, 1});
}

TEST(metadata_builder, refuses_eras_that_would_be_lowered_in_any_order) {
  const auto after = [](metadata_builder& building) {
    add_writeset(building, 7);
    add_writeset(building, 5);
    add_eras(building, 6, 42);
  };
  const auto before = [](metadata_builder& building) {
    add_eras(building, 6, 42);
    add_writeset(building, 7);
    add_writeset(building, 5);
  };
  const auto between = [](metadata_builder& building) {
    add_writeset(building, 7);
    add_eras(building, 6, 42);
    add_writeset(building, 5);
  };
  const auto as_window = [](metadata_builder& building) {
    add_writeset(building, 5);
    auto window = std::make_shared<era::contents_window>();
    window->count = 10;
    window->eras = {0, 5, 5, 6, 2, 1, 0, 0, 0, 0};
    building.eras(std::move(window));
  };
  for (const auto& tell : {std::function<void(metadata_builder&)>(after),
                           std::function<void(metadata_builder&)>(before),
                           std::function<void(metadata_builder&)>(between)}) {
    const auto [what, line] = conflict_in(tell);
    EXPECT_NE(what.find("block 3 has era 6, later than the writeset of era 5"), std::string::npos)
        << what;
    EXPECT_NE(what.find("logical"), std::string::npos);
    EXPECT_EQ(line, 42U);
  }
  EXPECT_NE(conflict_in(as_window).first.find("block 3 has era 6"), std::string::npos);
}

TEST(metadata_builder, takes_eras_as_late_as_the_oldest_writeset) {
  EXPECT_EQ(conflict_in([](metadata_builder& building) {
              add_writeset(building, 9);
              add_writeset(building, 8);
              add_eras(building, 8, 42);
            }).first,
            "");
  EXPECT_EQ(conflict_in([](metadata_builder& building) { add_eras(building, 9, 42); }).first, "");
}

// Fails some of its flushes, as a disk does that is losing its cache, but takes every write.
class forgetful_device final : public pd::block_device {
 public:
  forgetful_device(pd::block_device& below, int first_failure, int failures)
      : below_(below), first_failure_(first_failure), end_of_failures_(first_failure + failures) {}

  pd::block_nr nr_blocks() const override { return below_.nr_blocks(); }
  const std::string& name() const override { return below_.name(); }
  void read(std::span<pd::read_request> batch) override { below_.read(batch); }
  void write(std::span<const pd::write_request> batch) override { below_.write(batch); }
  void flush() override {
    const int now = ++flushes_;
    if (now >= first_failure_ && now < end_of_failures_) {
      throw base::io_error(name() + ": Input/output error");
    }
  }
  int flushes() const { return flushes_; }

 private:
  pd::block_device& below_;
  int first_failure_;
  int end_of_failures_;
  int flushes_ = 0;
};

std::string failure_with(pd::memory_device& below, int first_failure, int failures) {
  forgetful_device device(below, first_failure, failures);
  metadata_builder building(device);
  building.begin({8, 10, 9});
  return base::test::message_of<base::io_error>([&] { building.end(); });
}

bool holds_mark(const pd::memory_device& device) {
  return std::memcmp(device.block(0), era::restore_mark.data(), era::restore_mark.size()) == 0;
}

// The flushes are of the mark, of everything else, and of the superblock.
TEST(metadata_builder, puts_the_mark_back_where_the_last_flush_fails) {
  pd::memory_device below(64);
  const std::string message = failure_with(below, 3, 1);
  EXPECT_NE(message.find("Input/output error"), std::string::npos) << message;
  EXPECT_NE(message.find("block 0 was marked as unfinished again"), std::string::npos) << message;
  EXPECT_TRUE(holds_mark(below));
}

TEST(metadata_builder, says_that_nobody_knows_where_the_mark_cannot_be_put_back) {
  pd::memory_device below(64);
  const std::string message = failure_with(below, 3, 100);
  EXPECT_NE(message.find("may be whole or not"), std::string::npos) << message;
}

TEST(metadata_builder, leaves_the_mark_where_an_earlier_flush_fails) {
  pd::memory_device below(64);
  EXPECT_EQ(failure_with(below, 2, 1), "memory: Input/output error");
  EXPECT_TRUE(holds_mark(below));
}

TEST(metadata_builder, stays_unfinished_where_the_device_fails_for_good_at_the_end) {
  pd::memory_device below(64);
  pd::faulty_device probe(below);
  {
    metadata_builder building(probe);
    building.begin({8, 10, 9});
    building.end();
  }
  pd::memory_device other(64);
  pd::faulty_device device(other);
  device.fail_after_writes(probe.writes_seen());
  metadata_builder building(device);
  building.begin({8, 10, 9});
  const std::string message = base::test::message_of<base::io_error>([&] { building.end(); });
  EXPECT_NE(message.find("may be whole or not"), std::string::npos) << message;
  EXPECT_TRUE(holds_mark(other)) << "the superblock was only in the cache";
}

}  // namespace
