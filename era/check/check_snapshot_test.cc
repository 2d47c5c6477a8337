#include <gtest/gtest.h>

#include <functional>

#include "era/check/check_test_support.h"

namespace {

using base::put_le32;
using base::put_le64;
using era::check_summary;
using era::superblock;
using era::test::check;
using era::test::metadata_blocks;
using era::test::metadata_maker;
using era::test::model;
using era::test::names;
using era::test::problem_names_of;
using era::test::usual_model;
using pd::block_nr;
using pd::test::change_block;
using pd::test::spoil;

// A snapshot just taken: it shares both trees with the live state. Then the live side goes on: a
// new root for the writeset tree, which shares one bitset with the snapshot.
class metadata_with_snapshot {
 public:
  enum class live_side { shares_both_roots, has_its_own_writeset_tree };

  explicit metadata_with_snapshot(live_side which) {
    metadata_maker maker(device);
    const model m = usual_model();
    live = write_trees(maker, m);
    superblock copy = live;
    copy.current_nr_bits = 3000;
    copy.current_root = 77;  // stale, names nothing
    snap = maker.snapshot_of(copy);
    live.metadata_snap = snap;
    maker.add_reference(live.era_array_root);
    if (which == live_side::shares_both_roots) {
      maker.add_reference(live.writeset_tree_root);
    } else {
      // Era 4 was digested away on the live side; era 5's bitset is shared.
      const std::byte* const old = writeset_value(maker, 1);
      const era::writeset shared{5, base::get_le32(old), base::get_le64(old + 4)};
      live.writeset_tree_root = maker.writeset_tree({shared});
      maker.add_reference(shared.root);
    }
    live = maker.finish(live);
  }

  void expect(const names& expected) {
    era::test::problem_recorder problems;
    const check_summary summary = check(device, problems);
    EXPECT_EQ(problems.names(), expected) << problems.text();
    EXPECT_EQ(summary.metadata_snap, live.metadata_snap);
  }

  void change_copy(const std::function<void(std::byte*)>& how) {
    change_block(device, era::superblock_block, snap, how);
  }

  pd::memory_device device{metadata_blocks};
  superblock live;
  block_nr snap = 0;

 private:
  const std::byte* writeset_value(metadata_maker& maker, std::uint32_t i) {
    maker.writer().read_back(pd::node_block, live.writeset_tree_root, node_.block(0));
    return pd::node_view(node_.block(0)).value(i);
  }

  pd::block_buffer node_{1};
};

using live_side = metadata_with_snapshot::live_side;

TEST(check_of_a_snapshot, finds_nothing_where_all_is_shared) {
  metadata_with_snapshot m(live_side::shares_both_roots);
  m.expect({});
  era::test::problem_recorder problems;
  EXPECT_TRUE(check(m.device, problems).snapshot_read);
}

TEST(check_of_a_snapshot, finds_nothing_where_a_part_is_shared) {
  metadata_with_snapshot(live_side::has_its_own_writeset_tree).expect({});
}

TEST(check_of_a_snapshot, needs_a_copy_that_can_be_read) {
  for (const live_side which :
       {live_side::shares_both_roots, live_side::has_its_own_writeset_tree}) {
    metadata_with_snapshot m(which);
    spoil(m.device, m.snap);
    m.expect({"superblock-checksum"});
  }
}

TEST(check_of_a_snapshot, finds_a_copy_that_was_made_for_another_place) {
  metadata_with_snapshot m(live_side::shares_both_roots);
  pd::seal_block(era::superblock_block, 50, m.device.block(m.snap));
  m.expect({"superblock-number"});
}

TEST(check_of_a_snapshot, finds_a_snapshot_in_no_block) {
  metadata_with_snapshot m(live_side::shares_both_roots);
  m.live.metadata_snap = 1000;
  metadata_maker::put_superblock(m.device, m.live);
  m.expect({"block-out-of-range"});
}

TEST(check_of_a_snapshot, finds_what_cannot_be_in_a_copy) {
  metadata_with_snapshot size(live_side::shares_both_roots);
  size.change_copy([](std::byte* block) { put_le32(block + 172, 64); });
  size.expect({"snapshot-superblock"});
  metadata_with_snapshot era(live_side::shares_both_roots);
  era.change_copy([](std::byte* block) { put_le32(block + 184, 7); });
  const auto found = problem_names_of(era.device);
  EXPECT_EQ(found.at(0), "snapshot-superblock");
}

TEST(check_of_a_snapshot, finds_damage_in_what_only_the_snapshot_holds) {
  metadata_with_snapshot m(live_side::has_its_own_writeset_tree);
  const superblock copy = era::decode_superblock(m.device.block(m.snap));
  spoil(m.device, copy.writeset_tree_root);
  era::test::problem_recorder problems;
  check(m.device, problems);
  ASSERT_EQ(problems.names(), names{"block-checksum"});
  EXPECT_TRUE(problems.problems[0].at.snapshot);
}

TEST(check_of_a_snapshot, reports_damage_in_what_is_shared_on_both_sides) {
  metadata_with_snapshot m(live_side::shares_both_roots);
  spoil(m.device, m.live.era_array_root);
  era::test::problem_recorder problems;
  check(m.device, problems);
  ASSERT_EQ(problems.names(), (names{"block-checksum", "block-checksum"}));
  EXPECT_FALSE(problems.problems[0].at.snapshot);
  EXPECT_TRUE(problems.problems[1].at.snapshot);
}

TEST(check_of_a_snapshot, counts_a_dropped_snapshot_as_a_leak) {
  metadata_with_snapshot m(live_side::shares_both_roots);
  m.live.metadata_snap = 0;
  metadata_maker::put_superblock(m.device, m.live);
  for (const std::string& name : problem_names_of(m.device)) {
    EXPECT_EQ(name, "count-too-high");
  }
}

TEST(check_of_a_snapshot, finds_shared_blocks_that_are_counted_once) {
  metadata_with_snapshot m(live_side::shares_both_roots);
  const auto bitmap = base::get_le64(m.device.block(m.live.space_map.bitmap_root) + 16);
  change_block(m.device, pd::bitmap_block, bitmap, [&](std::byte* block) {
    const block_nr root = m.live.era_array_root;
    std::byte* const word = block + 16 + 8 * (root / 32);
    const std::uint64_t low = std::uint64_t{1} << 2 * (root % 32);
    put_le64(word, (base::get_le64(word) & ~low) | low << 1);
  });
  m.expect({"count-too-low"});
}

TEST(check_of_a_snapshot, can_be_of_the_snapshot_alone) {
  metadata_with_snapshot m(live_side::has_its_own_writeset_tree);
  spoil(m.device, m.live.writeset_tree_root);
  m.device.block(m.live.space_map.bitmap_root)[100] ^= std::byte{1};
  const era::check_options snapshot{false, era::metadata_state::snapshot};
  era::test::problem_recorder problems;
  const check_summary summary = check(m.device, problems, snapshot);
  EXPECT_EQ(problems.names(), names{}) << problems.text();
  EXPECT_EQ(summary.archived_writesets, 2U);
  EXPECT_EQ(summary.found.location, m.snap);
  EXPECT_EQ(summary.space_map.nr_allocated, m.live.space_map.nr_allocated);

  const superblock copy = era::decode_superblock(m.device.block(m.snap));
  spoil(m.device, copy.writeset_tree_root);
  check(m.device, problems, snapshot);
  EXPECT_EQ(problems.names(), names{"block-checksum"});
}

TEST(check_of_a_snapshot, alone_needs_one) {
  pd::memory_device device(metadata_blocks);
  write_metadata(device, usual_model());
  era::test::problem_recorder problems;
  EXPECT_THROW(check(device, problems, {false, era::metadata_state::snapshot}), base::data_error);
}

TEST(check, survives_random_nonsense_under_good_checksums) {
  std::mt19937_64 random(2);
  const pd::block_type types[] = {pd::node_block, pd::array_block, pd::index_block,
                                  pd::bitmap_block, era::superblock_block};
  for (int round = 0; round < 200; ++round) {
    SCOPED_TRACE(round);
    metadata_with_snapshot m(round % 2 == 0 ? live_side::shares_both_roots
                                            : live_side::has_its_own_writeset_tree);
    for (int i = 0; i < 4; ++i) {
      const block_nr where = random() % m.live.space_map.nr_allocated;
      std::byte* const block = m.device.block(where);
      for (const pd::block_type& type : types) {
        if ((pd::body_crc(block) ^ pd::stored_checksum(block)) == type.salt) {
          const std::size_t at =
              random() % 2 == 0 ? 4 * (1 + random() % 60) : 4 * (1 + random() % 1023);
          put_le32(block + at,
                   static_cast<std::uint32_t>(random() % 3 == 0 ? random() : random() % 110));
          pd::seal_block(type, where, block);
          break;
        }
      }
    }
    era::test::problem_recorder problems;
    const check_summary summary = check(m.device, problems);
    EXPECT_EQ(summary.errors + summary.nonfatal + summary.remarks, problems.problems.size());
    EXPECT_LT(problems.problems.size(), 1000U);
  }
}

}  // namespace
