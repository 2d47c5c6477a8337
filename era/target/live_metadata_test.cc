#include "era/target/live_metadata.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "base/file_test_support.h"
#include "era/target/target_test_support.h"

namespace {

using base::test::message_of;
using era::block_range;
using era::superblock;
using era::test::archived_in;
using era::test::eras_of;
using era::test::problems_of;
using keys = std::vector<std::uint32_t>;

constexpr pd::block_nr metadata_blocks = 200;

// Metadata that was resumed once, and is in era 1.
class live_metadata : public testing::Test {
 protected:
  explicit live_metadata(std::uint32_t nr_blocks = 250) {
    open();
    metadata_->resize(nr_blocks);
    metadata_->begin_era();
  }

  void open() { metadata_ = std::make_unique<era::live_metadata>(device_, 8); }

  void mark(const std::vector<std::uint64_t>& blocks) {
    std::vector<block_range> ranges;
    for (const std::uint64_t block : blocks) {
      ranges.push_back({block, block + 1});
    }
    metadata_->mark(ranges);
  }

  // Steps until nothing is archived, and how many there were.
  unsigned settle() {
    unsigned steps = 0;
    while (metadata_->digest_step()) {
      ++steps;
    }
    metadata_->commit();
    return steps;
  }

  superblock on_disk() { return era::decode_superblock(stable_.block(0)); }

  std::uint32_t current_era() { return metadata_->current_superblock().current_era; }

  // What stands in the era array itself.
  std::vector<std::uint32_t> array() {
    era::metadata_file file(stable_);
    era::strict_sink sink("meta");
    era::metadata found = file.load(era::metadata_state::live, sink);
    std::vector<std::uint32_t> eras(found.superblock.nr_blocks);
    era::era_reader(found, sink).array_values(0, eras);
    return eras;
  }

  pd::memory_device stable_{metadata_blocks, "meta"};
  pd::faulty_device device_{stable_};
  std::unique_ptr<era::live_metadata> metadata_;
};

// ---- eras ----

TEST(formatting, leaves_a_zero_superblock_or_sound_metadata_wherever_it_fails) {
  bool done = false;
  for (std::uint64_t writes = 0; !done; ++writes) {
    for (std::uint64_t seed = 0; seed < 4; ++seed) {
      pd::memory_device stable(metadata_blocks);
      pd::faulty_device device(stable);
      device.fail_after_writes(writes);
      try {
        const era::live_metadata made(device, 8);
        done = true;
      } catch (const base::io_error&) {
      }
      std::mt19937_64 random(seed);
      device.cut_power(random);
      EXPECT_TRUE(era::metadata_file(stable).is_unformatted() || problems_of(stable).empty())
          << writes << " writes";
      EXPECT_TRUE(!done || !era::metadata_file(stable).is_unformatted());
    }
    ASSERT_LT(writes, 20U);
  }
}

TEST_F(live_metadata, opens_an_era_with_an_empty_writeset_as_long_as_the_device) {
  EXPECT_EQ(on_disk().current_era, 1U);
  EXPECT_EQ(on_disk().current_nr_bits, 250U);
  EXPECT_TRUE(on_disk().current_open());
  EXPECT_EQ(eras_of(stable_), std::vector<std::uint32_t>(250));
  EXPECT_TRUE(archived_in(stable_).empty());
}

TEST_F(live_metadata, has_what_was_marked_on_the_device) {
  metadata_->mark(std::vector<block_range>{{3, 6}, {63, 65}, {249, 250}, {4, 5}});
  std::vector<std::uint32_t> expected(250);
  for (const std::size_t block : {3U, 4U, 5U, 63U, 64U, 249U}) {
    expected[block] = 1;
  }
  EXPECT_EQ(eras_of(stable_), expected);
  EXPECT_EQ(problems_of(stable_), "");
}

TEST_F(live_metadata, archives_an_era_when_the_next_one_begins_or_it_ends) {
  mark({7});
  metadata_->begin_era();
  EXPECT_EQ(archived_in(stable_), (keys{1}));
  mark({8});
  metadata_->end_era();
  EXPECT_EQ(archived_in(stable_), (keys{1, 2}));
  EXPECT_FALSE(on_disk().current_open());
  EXPECT_EQ(on_disk().current_nr_bits, 250U);
  metadata_->end_era();
  EXPECT_EQ(archived_in(stable_), (keys{1, 2})) << "no era was open";
  metadata_->begin_era();
  EXPECT_EQ(archived_in(stable_), (keys{1, 2}));
  EXPECT_EQ(on_disk().current_era, 3U);
  const auto eras = eras_of(stable_);
  EXPECT_EQ(eras[7], 1U);
  EXPECT_EQ(eras[8], 2U);
  EXPECT_EQ(problems_of(stable_), "");
}

TEST_F(live_metadata, knows_whether_somebody_else_has_committed) {
  EXPECT_TRUE(metadata_->is_last_commit_on_device());
  EXPECT_EQ(metadata_->era_on_device(), 1U);
  {
    era::live_metadata other(device_, 8);
    EXPECT_TRUE(metadata_->is_last_commit_on_device());
    other.begin_era();
  }
  EXPECT_FALSE(metadata_->is_last_commit_on_device());
  EXPECT_EQ(metadata_->era_on_device(), 2U);
  device_.fail_reads_of(0);
  EXPECT_FALSE(metadata_->is_last_commit_on_device());
  EXPECT_EQ(metadata_->era_on_device(), std::nullopt);
}

TEST_F(live_metadata, refuses_the_era_behind_the_last_one) {
  pd::test::change_block(stable_, era::superblock_block, 0,
                         [](std::byte* block) { base::put_le32(block + 184, UINT32_MAX - 1); });
  open();
  metadata_->begin_era();
  EXPECT_EQ(on_disk().current_era, UINT32_MAX);
  mark({3});
  EXPECT_NE(message_of<base::data_error>([&] {
              metadata_->begin_era();
            }).find("meta: the era counter is at its end"),
            std::string::npos);
  EXPECT_EQ(on_disk().current_era, UINT32_MAX);
  EXPECT_EQ(eras_of(stable_)[3], UINT32_MAX);
  open();
  EXPECT_THROW(metadata_->begin_era(), base::data_error);
  EXPECT_EQ(archived_in(stable_), (keys{UINT32_MAX - 1})) << "and the tree is as it was";
}

TEST_F(live_metadata, does_nothing_any_more_after_a_failure) {
  metadata_->begin_era();
  metadata_->take_snapshot();
  device_.fail_writes_of(0);
  EXPECT_THROW(mark({1}), base::io_error);
  EXPECT_TRUE(metadata_->failed());
  EXPECT_EQ(metadata_->failure(), "meta: Input/output error");
  const std::uint64_t before = device_.writes_seen();
  const std::vector<std::function<void()>> operations = {
      [&] { metadata_->resize(3); },       [&] { metadata_->begin_era(); },
      [&] { metadata_->end_era(); },       [&] { mark({2}); },
      [&] { metadata_->drop_snapshot(); }, [&] { metadata_->digest_step(); },
      [&] { metadata_->commit(); }};
  for (const auto& operation : operations) {
    EXPECT_NE(message_of<base::io_error>(operation).find("meta: an earlier operation failed"),
              std::string::npos);
  }
  EXPECT_EQ(device_.writes_seen(), before);
}

// ---- digestion ----

TEST_F(live_metadata, digests_in_steps_of_finding_a_hundred_bits_and_dropping) {
  mark({0, 99, 100, 249});
  metadata_->begin_era();
  using eras = std::vector<std::uint32_t>;
  const auto after_a_step = [&] {
    EXPECT_TRUE(metadata_->digest_step());
    metadata_->commit();
    const eras all = array();
    return eras{all[0], all[99], all[100], all[249]};
  };
  EXPECT_EQ(after_a_step(), (eras{0, 0, 0, 0}));
  EXPECT_EQ(after_a_step(), (eras{1, 1, 0, 0}));
  EXPECT_EQ(after_a_step(), (eras{1, 1, 1, 0}));
  EXPECT_EQ(after_a_step(), (eras{1, 1, 1, 1}));
  EXPECT_EQ(archived_in(stable_), (keys{1}));
  EXPECT_EQ(after_a_step(), (eras{1, 1, 1, 1}));
  EXPECT_TRUE(archived_in(stable_).empty());
  EXPECT_FALSE(metadata_->digest_step());
  EXPECT_EQ(problems_of(stable_), "");
}

TEST_F(live_metadata, digests_the_lowest_era_first) {
  for (std::uint64_t n = 0; n < 3; ++n) {
    mark({n, 10});
    metadata_->begin_era();
  }
  for (const keys& left : {keys{2, 3}, keys{3}, keys{}}) {
    for (unsigned n = 0; n < 5; ++n) {
      ASSERT_TRUE(metadata_->digest_step());
    }
    metadata_->commit();
    EXPECT_EQ(archived_in(stable_), left);
  }
  EXPECT_EQ(settle(), 0U);
  EXPECT_EQ(array()[2], 3U);
  EXPECT_EQ(array()[10], 3U);
}

TEST_F(live_metadata, commits_nothing_by_digesting) {
  mark({5});
  metadata_->begin_era();
  const std::uint64_t before = device_.writes_seen();
  while (metadata_->digest_step()) {
  }
  EXPECT_EQ(device_.writes_seen(), before);
  open();
  EXPECT_EQ(settle(), 5U) << "all over again";
  EXPECT_EQ(array()[5], 1U);
}

TEST_F(live_metadata, starts_over_with_the_lowest_era_wherever_digestion_was_cut_off) {
  const std::vector<std::uint32_t> expected = [&] {
    mark({0, 99, 100, 249});
    metadata_->begin_era();
    mark({99, 200});
    metadata_->begin_era();
    return eras_of(stable_);
  }();
  pd::block_buffer start(metadata_blocks);
  std::memcpy(start.block(0), stable_.block(0), metadata_blocks * pd::block_size);
  for (unsigned steps = 0; steps <= 10; ++steps) {
    std::memcpy(stable_.block(0), start.block(0), metadata_blocks * pd::block_size);
    open();
    for (unsigned n = 0; n < steps; ++n) {
      ASSERT_TRUE(metadata_->digest_step());
    }
    metadata_->commit();
    EXPECT_EQ(eras_of(stable_), expected);
    open();
    EXPECT_EQ(settle(), steps < 5 ? 10U : steps < 10 ? 5U : 0U);
    EXPECT_EQ(array(), expected);
    EXPECT_EQ(problems_of(stable_), "");
  }
}

TEST_F(live_metadata, digests_rightly_whatever_comes_between_the_steps) {
  std::mt19937_64 random(3);
  std::vector<std::uint32_t> expected(250);
  for (unsigned n = 0; n < 300; ++n) {
    switch (random() % 8) {
      case 0:
        metadata_->begin_era();
        break;
      case 1:
        metadata_->begin_era();
        if (on_disk().metadata_snap == pd::no_block) {
          metadata_->take_snapshot();
        } else {
          metadata_->drop_snapshot();
        }
        break;
      case 2: {
        const std::uint64_t block = random() % 250;
        mark({block});
        expected[block] = current_era();
        break;
      }
      default:
        metadata_->digest_step();
    }
    if (n % 10 == 0) {
      metadata_->commit();
      ASSERT_EQ(eras_of(stable_), expected);
      ASSERT_EQ(problems_of(stable_), "");
    }
  }
  EXPECT_GT(current_era(), 50U);
  metadata_->begin_era();
  settle();
  EXPECT_EQ(array(), expected);
}

// ---- resizing ----

TEST_F(live_metadata, ignores_marks_beyond_the_end_of_a_smaller_device) {
  mark({3, 120, 249});
  metadata_->resize(121);
  EXPECT_EQ(on_disk().current_nr_bits, 250U);
  metadata_->begin_era();
  EXPECT_EQ(on_disk().current_nr_bits, 121U);
  EXPECT_EQ(settle(), 4U) << "121 bits are two steps";
  std::vector<std::uint32_t> expected(121);
  expected[3] = expected[120] = 1;
  EXPECT_EQ(array(), expected);
  metadata_->resize(250);
  expected.resize(250);
  EXPECT_EQ(array(), expected) << "what was cut off is forgotten";
  EXPECT_EQ(eras_of(stable_), expected);
}

TEST_F(live_metadata, digests_shorter_writesets_of_a_device_that_grew) {
  mark({3, 249});
  metadata_->resize(5000);
  metadata_->begin_era();
  mark({249, 4999});
  EXPECT_EQ(settle(), 5U);
  metadata_->begin_era();
  EXPECT_EQ(settle(), 52U);
  std::vector<std::uint32_t> expected(5000);
  expected[3] = 1;
  expected[249] = expected[4999] = 2;
  EXPECT_EQ(array(), expected);
}

TEST_F(live_metadata, takes_another_length_in_the_midst_of_digestion) {
  mark({3, 120, 249});
  metadata_->begin_era();
  ASSERT_TRUE(metadata_->digest_step());
  ASSERT_TRUE(metadata_->digest_step());
  metadata_->resize(122);
  ASSERT_TRUE(metadata_->digest_step());
  metadata_->resize(1100);
  settle();
  EXPECT_EQ(array()[3], 1U);
  EXPECT_EQ(array()[120], 1U);
  EXPECT_EQ(array().size(), 1100U);
}

}  // namespace
