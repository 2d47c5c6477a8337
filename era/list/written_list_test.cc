#include "era/list/written_list.h"

#include <gtest/gtest.h>

#include <random>

#include "era/list/list_test_support.h"
#include "era/read/metadata_test_support.h"

namespace {

using era::list_question;
using era::since_state;
using era::styled_list;
using era::test::bits_of_list;
using era::test::list_of_bits;
using era::test::model;
using era::test::model_in_era_6;

using bits = std::vector<bool>;

era::written_list list_of(const model& m, const list_question& question) {
  pd::memory_device device(64);
  write_metadata(device, m);
  era::metadata_file file(device);
  era::strict_sink strict("meta");
  base::no_progress silent;
  return list_written_blocks(file, era::metadata_state::live, question, strict, silent);
}

std::string refusal_of(const model& m, const list_question& question) {
  try {
    list_of(m, question);
  } catch (const base::data_error& e) {
    return e.what();
  }
  return "";
}

model random_model() {
  std::mt19937_64 random(1);
  model m = model_in_era_6();
  for (std::uint32_t& era : m.array) {
    era = static_cast<std::uint32_t>(random() % 4);
  }
  for (std::size_t i = 0; i < m.array.size(); ++i) {
    m.archived[0].bits[i] = random() % 4 == 0;
    m.archived[1].bits[i] = random() % 4 == 0;
    (*m.current)[i] = random() % 4 == 0;
  }
  return m;
}

TEST(written_list, is_of_what_was_last_written_within_the_window) {
  const model m = random_model();
  for (std::uint32_t since = 0; since < 7; ++since) {
    for (std::uint32_t before = since + 1; before < 9; ++before) {
      bits expected(m.nr_blocks());
      for (std::size_t i = 0; i < expected.size(); ++i) {
        expected[i] = m.last_written(i) >= since && m.last_written(i) < before;
      }
      const era::written_list list = list_of(m, {since, before, {}});
      EXPECT_EQ(bits_of_list(list.blocks), expected) << since << " to " << before;
      EXPECT_EQ(list.facts.next_since, std::min(before, 6U)) << "era 6 is open";
    }
  }
}

TEST(written_list, goes_on_from_the_state_of_last_time) {
  const model m = random_model();
  const since_state last{5, 128, m.nr_blocks(), 5};
  const era::written_list list = list_of(m, {0, {}, last});
  EXPECT_EQ(list.facts.written_since, 5U);
  EXPECT_EQ(bits_of_list(list.blocks), bits_of_list(list_of(m, {5}).blocks));
  EXPECT_FALSE(list.facts.nr_blocks_before);
}

TEST(written_list, has_the_blocks_that_the_device_has_gained) {
  const model m = model_in_era_6();
  const std::uint32_t before = m.nr_blocks() - 100;
  const era::written_list list = list_of(m, {0, {}, since_state{6, 128, before, 5}});
  bits expected(m.nr_blocks());
  expected[30] = true;
  std::fill(expected.begin() + before, expected.end(), true);
  EXPECT_EQ(bits_of_list(list.blocks), expected);
  EXPECT_EQ(list.facts.nr_blocks_before, before);
}

TEST(written_list, can_be_of_a_device_that_has_shrunk) {
  const model m = model_in_era_6();
  const era::written_list list = list_of(m, {0, {}, since_state{6, 128, m.nr_blocks() + 100, 6}});
  EXPECT_EQ(list.facts.total_blocks, 1U);
  EXPECT_EQ(list.facts.nr_blocks_before, m.nr_blocks() + 100);
}

TEST(written_list, refuses_the_state_of_other_metadata) {
  const model m = model_in_era_6();
  const std::uint32_t n = m.nr_blocks();
  EXPECT_NE(refusal_of(m, {0, {}, since_state{5, 64, n, 5}})
                .find("data blocks have 128 sectors, last time they had 64"),
            std::string::npos);
  EXPECT_NE(refusal_of(m, {0, {}, since_state{5, 128, n, 7}})
                .find("the current era is 6, last time it was 7"),
            std::string::npos);
  EXPECT_NE(
      refusal_of(m, {0, {}, since_state{8, 128, n, 6}}).find("the list since era 8 is asked for"),
      std::string::npos);
}

TEST(end_with_origin, cuts_the_last_block) {
  styled_list list = list_of_bits({true, false, true});
  EXPECT_EQ(list.facts.total_blocks, 2U);
  EXPECT_EQ(list.facts.total_bytes, 2 * 65536U - 32768);
  end_with_origin(list, 2 * 65536 + 512);
  EXPECT_EQ(list.facts.total_bytes, 65536U + 512);
  end_with_origin(list, 7 * 65536);
  EXPECT_EQ(list.facts.total_bytes, 2 * 65536U) << "beyond its end the metadata knows nothing";
  EXPECT_THROW(end_with_origin(list, 2 * 65536), base::data_error);
  EXPECT_THROW(end_with_origin(list, 0), base::data_error);
}

// Which bytes of the device are listed, in sectors.
bits sectors_of(const styled_list& list) {
  bits sectors(list.facts.origin_bytes / 512);
  const bits blocks = bits_of_list(list.blocks);
  for (std::size_t i = 0; i < sectors.size(); ++i) {
    sectors[i] = blocks[i * 512 / list.facts.block_bytes];
  }
  return sectors;
}

TEST(change_granularity, covers_what_was_listed_and_no_block_more) {
  std::mt19937_64 random(1);
  for (const unsigned of_100 : {3U, 50U, 90U}) {
    const bits written = era::test::random_bits(500, of_100, random);
    for (const std::uint64_t bytes : {512U, 1536U, 4096U, 65536U, 66048U, 131072U, 1048576U}) {
      SCOPED_TRACE(bytes);
      const bits before = sectors_of(list_of_bits(written));
      styled_list list = list_of_bits(written);
      change_granularity(list, bytes);
      EXPECT_EQ(list.blocks.nr_blocks(), list.facts.nr_list_blocks());
      bits expected(list.blocks.nr_blocks());
      for (std::size_t i = 0; i < before.size(); ++i) {
        expected[i * 512 / bytes] = expected[i * 512 / bytes] || before[i];
      }
      EXPECT_EQ(bits_of_list(list.blocks), expected);
      const bits after = sectors_of(list);
      EXPECT_EQ(list.facts.total_bytes,
                512 * static_cast<std::uint64_t>(std::count(after.begin(), after.end(), true)));
      EXPECT_EQ(list.facts.total_blocks,
                static_cast<std::uint64_t>(std::count(expected.begin(), expected.end(), true)));
    }
  }
}

TEST(change_granularity, refuses_more_blocks_than_there_is_memory_for) {
  styled_list list = list_of_bits({true});
  list.facts.origin_bytes = std::uint64_t{1} << 42;
  try {
    change_granularity(list, 512);
    ADD_FAILURE() << "taken";
  } catch (const base::data_error& e) {
    EXPECT_NE(std::string(e.what()).find("Blocks of 1024 bytes are large enough."),
              std::string::npos)
        << e.what();
  }
}

TEST(written_blocks, says_where_the_next_block_is) {
  bits some(200);
  some[0] = some[63] = some[64] = some[150] = true;
  const era::written_blocks blocks = era::test::blocks_of_bits(some);
  for (std::size_t from = 0; from < 210; ++from) {
    std::size_t expected = std::min<std::size_t>(from, 200);
    while (expected < 200 && !some[expected]) {
      ++expected;
    }
    EXPECT_EQ(blocks.first_from(from), expected) << from;
  }
}

}  // namespace
