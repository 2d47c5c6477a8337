#include "era/read/era_reader.h"

#include <gtest/gtest.h>

#include "era/read/metadata_test_support.h"

namespace {

using era::block_range;
using era::test::model;
using pd::block_nr;

constexpr std::uint64_t window = era::era_reader::window;
constexpr std::uint64_t bits_per_block = 509 * 64;

// Eras as a kernel leaves them, some writesets being shorter or longer than the device, and often a
// few that no kernel would leave.
model random_model(std::uint32_t nr_blocks, std::mt19937_64& random) {
  model m;
  const auto nr_archived = static_cast<std::uint32_t>(random() % 8);
  const auto first_era = static_cast<std::uint32_t>(1 + random() % 5);
  std::uint32_t era = first_era;
  for (std::uint32_t i = 0; i < nr_archived; ++i) {
    std::uint64_t nr_bits = nr_blocks;
    if (random() % 3 == 0) {
      nr_bits = random() % (2 * std::uint64_t{nr_blocks} + 100);
    }
    m.archived.push_back({era, era::test::random_bits(nr_bits, 1 + random() % 90, random)});
    era += static_cast<std::uint32_t>(random() % 6 == 0 ? 2 : 1);
  }
  m.current_era = era;
  if (random() % 2 == 0) {
    m.current = era::test::random_bits(random() % 2 == 0 ? nr_blocks : nr_blocks / 2 + 3,
                                       static_cast<unsigned>(random() % 60), random);
  }
  const std::uint32_t newest = random() % 4 == 0 ? m.current_era : first_era;
  for (std::uint32_t b = 0; b < nr_blocks; ++b) {
    m.array.push_back(static_cast<std::uint32_t>(random() % (newest + 1)));
  }
  return m;
}

std::vector<std::uint32_t> last_written(const model& m) {
  std::vector<std::uint32_t> eras;
  for (std::uint64_t b = 0; b < m.nr_blocks(); ++b) {
    eras.push_back(m.last_written(b));
  }
  return eras;
}

block_nr room_for(const model& m) {
  std::uint64_t blocks = 20 + m.nr_blocks() / 1018 * 11 / 10;
  for (const auto& set : m.archived) {
    blocks += set.bits.size() / bits_per_block + 4;
  }
  return blocks + (m.current ? m.current->size() / bits_per_block + 4 : 0) + 10;
}

// A model written to a device in memory.
class written {
 public:
  explicit written(const model& from)
      : device(room_for(from)), live(write_metadata(device, from)) {}

  pd::memory_device device;
  era::superblock live;
};

// All that a reader says, window by window.
class reading {
 public:
  explicit reading(const written& from, std::uint32_t since = 0)
      : reading(const_cast<written&>(from).device, from.live, since) {}

  reading(pd::block_device& device, const era::superblock& live, std::uint32_t since = 0)
      : file_(device),
        since_(since),
        metadata(file_.read_state(live, era::metadata_state::live, problems)),
        reader(metadata, problems) {}

  std::vector<std::uint32_t> last_written() {
    return by_windows([&](std::uint64_t first, std::span<std::uint32_t> eras) {
      reader.last_written(first, eras);
    });
  }

  std::vector<std::uint32_t> array_values() {
    return by_windows([&](std::uint64_t first, std::span<std::uint32_t> eras) {
      reader.array_values(first, eras);
    });
  }

  std::vector<bool> written_since() {
    std::vector<std::uint64_t> words(base::ceil_div(metadata.superblock.nr_blocks, 64), 0xABCDEF);
    base::no_progress silent;
    reader.written_since(since_, words, silent);
    return bits_of(words, metadata.superblock.nr_blocks);
  }

  std::vector<bool> writeset_bits(std::size_t i) {
    return bits_by_windows(
        metadata.writesets[i].nr_bits,
        [&](std::uint64_t first, std::uint64_t count, std::span<std::uint64_t> words) {
          reader.writeset_bits(i, first, count, words);
        });
  }

 private:
  era::metadata_file file_;
  std::uint32_t since_;

 public:
  era::test::problem_recorder problems;
  era::metadata metadata;
  era::era_reader reader;

 private:
  template <typename Fill>
  std::vector<std::uint32_t> by_windows(Fill fill) {
    std::vector<std::uint32_t> eras(metadata.superblock.nr_blocks, 12345);
    for (std::uint64_t first = 0; first < eras.size(); first += window) {
      fill(first, std::span(eras).subspan(first, std::min(window, eras.size() - first)));
    }
    return eras;
  }

  static std::vector<bool> bits_of(std::span<const std::uint64_t> words, std::uint64_t count) {
    std::vector<bool> bits;
    for (std::uint64_t i = 0; i < 64 * words.size(); ++i) {
      const bool bit = (words[i / 64] >> i % 64 & 1) != 0;
      if (i < count) {
        bits.push_back(bit);
      } else {
        EXPECT_FALSE(bit) << "a bit past the end";
      }
    }
    return bits;
  }

  template <typename Fill>
  std::vector<bool> bits_by_windows(std::uint64_t nr_bits, Fill fill) {
    std::vector<bool> bits;
    for (std::uint64_t first = 0; first < nr_bits; first += window) {
      const std::uint64_t count = std::min(window, nr_bits - first);
      std::vector<std::uint64_t> words(base::ceil_div(count, 64), 0xABCDEF);
      fill(first, count, words);
      const std::vector<bool> more = bits_of(words, count);
      bits.insert(bits.end(), more.begin(), more.end());
    }
    return bits;
  }
};

void expect_since_lists(const written& metadata, const model& m) {
  const std::vector<std::uint32_t> eras = last_written(m);
  std::vector<std::uint32_t> sinces = {
      0, 1, m.current_era / 2, m.current_era, m.current_era + 1, UINT32_MAX};
  for (const std::uint32_t since : sinces) {
    std::vector<bool> expected;
    for (const std::uint32_t era : eras) {
      expected.push_back(era >= since);
    }
    reading got(metadata, since);
    EXPECT_TRUE(got.written_since() == expected) << "since " << since;
    EXPECT_TRUE(got.problems.problems.empty()) << got.problems.text();
  }
}

void expect_all(const model& m) {
  const written metadata(m);
  reading got(metadata);
  EXPECT_TRUE(got.last_written() == last_written(m));
  EXPECT_TRUE(got.array_values() == m.array);
  for (std::size_t i = 0; i < m.archived.size(); ++i) {
    EXPECT_TRUE(got.writeset_bits(i) == m.archived[i].bits) << i;
  }
  if (m.current) {
    EXPECT_TRUE(got.writeset_bits(m.archived.size()) == *m.current);
  }
  EXPECT_TRUE(got.problems.problems.empty()) << got.problems.text();
  EXPECT_TRUE(got.reader.lost_in_writesets().empty());
  expect_since_lists(metadata, m);
}

TEST(era_reader, window_holds_whole_array_blocks) {
  EXPECT_EQ(window % 1018, 0U);
  EXPECT_EQ(window % bits_per_block, 0U);
}

TEST(era_reader, agrees_with_a_plain_model) {
  std::mt19937_64 random(1);
  for (const std::uint32_t nr_blocks :
       {1U, 63U, 64U, 65U, 1017U, 1018U, 1019U, 5000U, 32575U, 32576U, 32577U, 70000U}) {
    for (int round = 0; round < 4; ++round) {
      SCOPED_TRACE(std::to_string(nr_blocks) + " blocks, round " + std::to_string(round));
      expect_all(random_model(nr_blocks, random));
    }
  }
}

TEST(era_reader, agrees_with_a_plain_model_over_several_windows) {
  std::mt19937_64 random(2);
  for (const std::uint64_t nr_blocks : {window - 1, window, window + 1, 2 * window + 77}) {
    SCOPED_TRACE(nr_blocks);
    expect_all(random_model(static_cast<std::uint32_t>(nr_blocks), random));
  }
}

TEST(era_reader, takes_the_newest_of_many_writesets) {
  std::mt19937_64 random(3);
  model m;
  for (std::uint32_t era = 1; era <= 1500; ++era) {
    m.archived.push_back({era, era::test::random_bits(200, 3, random)});
  }
  m.array.assign(200, 0);
  m.current_era = 1500;
  expect_all(m);
}

TEST(era_reader, lets_the_array_win_where_it_is_newer) {
  model m;
  m.array = {9, 0, 3};
  m.archived.push_back({5, {true, true, true}});
  m.current_era = 9;
  const written metadata(m);
  EXPECT_EQ(reading(metadata).last_written(), (std::vector<std::uint32_t>{9, 5, 5}));
}

TEST(era_reader, ignores_the_bits_of_the_last_word_that_count_for_nothing) {
  model m;
  m.array.assign(200, 0);
  m.archived.push_back({5, std::vector<bool>(70, false)});
  m.current_era = 5;
  written metadata(m);
  reading before(metadata);
  const block_nr root = before.metadata.writesets[0].root;
  const block_nr block = pd::test::child_of(metadata.device, root, 0);
  pd::test::change_block(metadata.device, pd::array_block, block, [](std::byte* at) {
    base::put_le64(at + 24, 0);
    base::put_le64(at + 32, ~std::uint64_t{0});
  });
  reading got(metadata);
  const auto eras = got.last_written();
  for (std::uint64_t b = 0; b < 200; ++b) {
    EXPECT_EQ(eras[b], b >= 64 && b < 70 ? 5U : 0U) << b;
  }
  EXPECT_TRUE(reading(metadata, 5).written_since()[69]);
  EXPECT_FALSE(reading(metadata, 5).written_since()[70]);
}

TEST(era_reader, does_not_need_writesets_before_the_era_asked_for) {
  std::mt19937_64 random(4);
  model m = random_model(3000, random);
  m.archived.clear();
  for (std::uint32_t era = 1; era <= 6; ++era) {
    m.archived.push_back({era, era::test::random_bits(3000, 20, random)});
  }
  m.current_era = 7;
  m.current.reset();
  for (std::uint32_t& era : m.array) {
    era = 0;
  }
  written metadata(m);
  reading before(metadata);
  pd::test::spoil(metadata.device, before.metadata.writesets[1].root);
  reading got(metadata, 3);
  const auto listed = got.written_since();
  EXPECT_TRUE(got.problems.problems.empty()) << got.problems.text();
  for (std::uint64_t b = 0; b < 3000; ++b) {
    EXPECT_EQ(listed[b], m.last_written(b) >= 3);
  }
}

class damaged_eras : public testing::Test {
 protected:
  damaged_eras() {
    std::mt19937_64 random(5);
    m_.array.assign(3 * bits_per_block + 500, 0);
    for (std::uint32_t& era : m_.array) {
      era = static_cast<std::uint32_t>(random() % 4);
    }
    for (std::uint32_t era = 3; era <= 6; ++era) {
      m_.archived.push_back({era, era::test::random_bits(m_.nr_blocks(), 30, random)});
    }
    m_.archived[1].bits.resize(40000);  // the device has grown since
    m_.current_era = 9;
    device_ = std::make_unique<written>(m_);
    roots_ = reading(*device_).metadata.writesets;
  }

  // The blocks that are lost have the current era, all others the model's; lists follow.
  void expect_lost(const std::vector<block_range>& lost) {
    std::vector<std::uint32_t> expected = last_written(m_);
    for (const block_range& range : lost) {
      std::fill(expected.begin() + static_cast<std::ptrdiff_t>(range.first),
                expected.begin() + static_cast<std::ptrdiff_t>(range.end), m_.current_era);
    }
    reading got(*device_);
    EXPECT_TRUE(got.last_written() == expected);
    EXPECT_FALSE(got.problems.problems.empty());
    for (const std::uint32_t since : {0U, 3U, 7U, 9U}) {
      const auto listed = reading(*device_, since).written_since();
      for (std::uint64_t b = 0; b < m_.nr_blocks(); ++b) {
        ASSERT_TRUE(listed[b] || m_.last_written(b) < since) << "block " << b << " is missing";
      }
    }
  }

  using ranges = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

  ranges lost_in_writesets() {
    reading got(*device_);
    got.last_written();
    ranges found;
    for (const block_range& range : got.reader.lost_in_writesets()) {
      found.emplace_back(range.first, range.end);
    }
    return found;
  }

  block_nr array_block(std::uint32_t key) {
    return pd::test::child_of(device_->device, device_->live.era_array_root, key);
  }
  block_nr bitset_block(std::size_t i, std::uint32_t key) {
    return pd::test::child_of(device_->device, roots_[i].root, key);
  }
  void spoil(block_nr where) { pd::test::spoil(device_->device, where); }

  model m_;
  std::unique_ptr<written> device_;
  std::vector<era::writeset> roots_;
};

TEST_F(damaged_eras, take_the_current_era_where_an_array_block_is_lost) {
  spoil(array_block(5));
  expect_lost({{5 * 1018, 6 * 1018}});
  EXPECT_EQ(lost_in_writesets(), ranges{});
}

TEST_F(damaged_eras, take_the_current_era_where_the_whole_array_is_lost) {
  spoil(device_->live.era_array_root);
  expect_lost({{0, m_.nr_blocks()}});
  EXPECT_EQ(lost_in_writesets(), ranges{});
}

TEST_F(damaged_eras, take_the_current_era_where_a_bitset_block_is_lost) {
  spoil(bitset_block(0, 1));
  expect_lost({{bits_per_block, 2 * bits_per_block}});
  EXPECT_EQ(lost_in_writesets(), (ranges{{bits_per_block, 2 * bits_per_block}}));
}

TEST_F(damaged_eras, lose_no_more_than_a_short_writeset_has) {
  spoil(bitset_block(1, 1));
  expect_lost({{bits_per_block, 40000}});
  EXPECT_EQ(lost_in_writesets(), (ranges{{bits_per_block, 40000}}));
}

TEST_F(damaged_eras, take_the_current_era_where_a_bitset_is_lost) {
  spoil(roots_[1].root);
  expect_lost({{0, 40000}});
  EXPECT_EQ(lost_in_writesets(), (ranges{{0, 40000}}));
}

TEST_F(damaged_eras, take_the_current_era_everywhere_when_writesets_are_lost) {
  spoil(device_->live.writeset_tree_root);
  expect_lost({{0, m_.nr_blocks()}});
  EXPECT_EQ(lost_in_writesets(), (ranges{{0, m_.nr_blocks()}}));
}

TEST_F(damaged_eras, merge_what_several_writesets_have_lost) {
  spoil(bitset_block(0, 2));
  spoil(bitset_block(2, 1));
  spoil(bitset_block(3, 3));
  expect_lost({{bits_per_block, m_.nr_blocks()}});
  EXPECT_EQ(lost_in_writesets(), (ranges{{bits_per_block, m_.nr_blocks()}}));
}

TEST_F(damaged_eras, say_in_which_structure_and_for_which_blocks) {
  spoil(bitset_block(0, 1));
  spoil(array_block(7));
  reading got(*device_);
  got.last_written();
  ASSERT_EQ(got.problems.problems.size(), 2U);
  const era::problem& in_array = got.problems.problems[0];
  EXPECT_EQ(describe(in_array.at), "era array");
  EXPECT_EQ(in_array.first_lost, 7U * 1018);
  EXPECT_EQ(in_array.end_lost, 8U * 1018);
  const era::problem& in_writeset = got.problems.problems[1];
  EXPECT_EQ(describe(in_writeset.at), "writeset of era 3");
  EXPECT_EQ(in_writeset.first_lost, bits_per_block);
  EXPECT_EQ(in_writeset.end_lost, 2 * bits_per_block);
}

TEST(era_reader, never_goes_below_the_model_whatever_is_damaged) {
  std::mt19937_64 random(6);
  for (int round = 0; round < 100; ++round) {
    SCOPED_TRACE(round);
    const model m = random_model(static_cast<std::uint32_t>(1 + random() % 90000), random);
    written metadata(m);
    const block_nr used = metadata.live.space_map.nr_allocated;
    for (int i = 0; i < 1 + round % 4; ++i) {
      metadata.device.block(1 + random() % (used - 1))[random() % pd::block_size] ^= std::byte{8};
    }
    reading got(metadata);
    const auto eras = got.last_written();
    std::uint64_t below = 0;
    std::uint64_t invented = 0;
    for (std::uint64_t b = 0; b < m.nr_blocks(); ++b) {
      below += eras[b] < m.last_written(b);
      invented += eras[b] != m.last_written(b) && eras[b] != m.current_era;
    }
    EXPECT_EQ(below, 0U);
    EXPECT_EQ(invented, 0U);

    const auto since = static_cast<std::uint32_t>(random() % (m.current_era + 1));
    const auto listed = reading(metadata, since).written_since();
    std::uint64_t missing = 0;
    for (std::uint64_t b = 0; b < m.nr_blocks(); ++b) {
      missing += !listed[b] && m.last_written(b) >= since;
    }
    EXPECT_EQ(missing, 0U);
  }
}

TEST(era_reader, finds_the_same_losses_however_it_is_asked) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const model m = random_model(static_cast<std::uint32_t>(1 + random() % 90000), random);
    written metadata(m);
    const block_nr used = metadata.live.space_map.nr_allocated;
    pd::test::spoil(metadata.device, 1 + random() % (used - 1));
    reading whole(metadata);
    whole.last_written();
    reading by_parts(metadata);
    by_parts.array_values();
    for (std::size_t i = 0; i < by_parts.metadata.writesets.size(); ++i) {
      by_parts.writeset_bits(i);
    }
    // A longer writeset's end is met only by those who ask for it.
    const auto below_end = [&](const era::era_reader& reader) {
      std::vector<std::pair<std::uint64_t, std::uint64_t>> ranges;
      for (const block_range& r : reader.lost_in_writesets()) {
        if (r.first < m.nr_blocks()) {
          ranges.emplace_back(r.first, std::min<std::uint64_t>(r.end, m.nr_blocks()));
        }
      }
      return ranges;
    };
    EXPECT_EQ(below_end(whole.reader), below_end(by_parts.reader));
  }
}

TEST(era_reader, leaves_the_stale_current_writeset_of_a_snapshot_out) {
  model m;
  m.array = {1, 2, 0};
  m.archived.push_back({3, {false, false, true}});
  m.current_era = 4;
  m.current = std::vector<bool>{true, true, true};
  written metadata(m);
  era::metadata_file file(metadata.device);
  era::test::problem_recorder problems;
  era::metadata found = file.read_state(metadata.live, era::metadata_state::snapshot, problems);
  EXPECT_FALSE(found.has_current);
  era::era_reader reader(found, problems);
  std::vector<std::uint32_t> eras(3);
  reader.last_written(0, eras);
  EXPECT_EQ(eras, (std::vector<std::uint32_t>{1, 2, 3}));
}

}  // namespace
