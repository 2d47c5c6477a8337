#include "era/check/check.h"

#include <gtest/gtest.h>

#include <functional>

#include "era/read/metadata_test_support.h"
#include "persistent-data/faulty_device.h"

namespace {

using base::put_le32;
using base::put_le64;
using era::check_summary;
using era::superblock;
using era::test::metadata_maker;
using era::test::model;
using pd::block_nr;
using pd::test::change_block;
using pd::test::child_of;
using pd::test::spoil;

using names = std::vector<std::string>;

constexpr block_nr metadata_blocks = 100;

// Eras 4 and 5 archived, 6 open, 3000 data blocks.
model usual_model() {
  std::mt19937_64 random(1);
  model m;
  m.current_era = 6;
  for (std::uint32_t b = 0; b < 3000; ++b) {
    m.array.push_back(b % 5);
  }
  m.archived.push_back({4, era::test::random_bits(3000, 30, random)});
  m.archived.push_back({5, era::test::random_bits(3000, 30, random)});
  m.current = era::test::random_bits(3000, 10, random);
  return m;
}

check_summary check(pd::block_device& device, era::test::problem_recorder& problems,
                    bool superblock_only = false) {
  base::no_progress progress;
  return era::check(device, {superblock_only}, problems, progress);
}

names problems_of(pd::block_device& device) {
  era::test::problem_recorder problems;
  const check_summary summary = check(device, problems);
  EXPECT_EQ(summary.errors + summary.nonfatal + summary.remarks, problems.problems.size());
  return problems.names();
}

// Metadata of a model, to be damaged.
class metadata {
 public:
  explicit metadata(const model& from = usual_model()) : live(write_metadata(device, from)) {}

  void expect(const names& expected) {
    era::test::problem_recorder problems;
    check(device, problems);
    EXPECT_EQ(problems.names(), expected) << problems.text();
  }

  // Changes a field of the superblock.
  void change(const std::function<void(superblock&)>& how) {
    how(live);
    metadata_maker::put_superblock(device, live);
  }

  block_nr array_block(std::uint32_t key) const {
    return child_of(device, live.era_array_root, key);
  }
  block_nr writeset_root(std::uint32_t i) const { return base::get_le64(writeset_value(i) + 4); }
  block_nr bitset_block(std::uint32_t i) const { return child_of(device, writeset_root(i), 0); }
  void change_writeset(std::uint32_t i, const std::function<void(std::byte*)>& how) {
    const std::ptrdiff_t at = writeset_value(i) - device.block(live.writeset_tree_root);
    change_block(device, pd::node_block, live.writeset_tree_root,
                 [&](std::byte* block) { how(block + at); });
  }

  pd::memory_device device{metadata_blocks};
  superblock live;

 private:
  const std::byte* writeset_value(std::uint32_t i) const {
    return pd::node_view(device.block(live.writeset_tree_root)).value(i);
  }
};

TEST(check, finds_nothing_in_sound_metadata) {
  metadata m;
  era::test::problem_recorder problems;
  const check_summary summary = check(m.device, problems);
  EXPECT_TRUE(problems.problems.empty()) << problems.text();
  EXPECT_TRUE(summary.superblock_usable);
  EXPECT_EQ(summary.live.nr_blocks, 3000U);
  EXPECT_EQ(summary.archived_writesets, 2U);
  EXPECT_FALSE(summary.snapshot_read);
  EXPECT_EQ(summary.blocks_read, m.live.space_map.nr_allocated);
}

TEST(check, finds_nothing_in_sound_metadata_of_many_shapes) {
  for (const bool open : {false, true}) {
    for (const std::uint32_t nr_blocks : {0U, 1U, 1018U, 2036U, 32576U}) {
      for (const std::uint32_t sets : {0U, 1U, 300U}) {
        SCOPED_TRACE(std::to_string(nr_blocks) + " blocks, " + std::to_string(sets) + " writesets");
        model m;
        m.array.assign(nr_blocks, 1);
        m.current_era = sets + 1;
        for (std::uint32_t era = 0; era < sets; ++era) {
          m.archived.push_back({era + (open ? 1 : 2), std::vector<bool>(nr_blocks, true)});
        }
        if (open) {
          m.array.assign(nr_blocks, 0);
          m.current = std::vector<bool>(nr_blocks);
        }
        pd::memory_device device(2000);
        write_metadata(device, m);
        EXPECT_EQ(problems_of(device), names{});
      }
    }
  }
}

TEST(check, reads_more_writesets_than_it_takes_at_once) {
  model m;
  m.array.assign(100, 0);
  m.current_era = 2500;
  for (std::uint32_t era = 1; era <= m.current_era; ++era) {
    m.archived.push_back({era, std::vector<bool>(100, true)});
  }
  pd::memory_device device(5200);
  const superblock live = write_metadata(device, m);
  EXPECT_EQ(problems_of(device), names{});
  const block_nr leaf = child_of(device, live.writeset_tree_root, 6);  // 201 a leaf
  const block_nr root = base::get_le64(pd::node_view(device.block(leaf)).value(4) + 4);
  const block_nr words = child_of(device, root, 0);
  change_block(device, pd::array_block, words,
               [](std::byte* block) { put_le64(block + 32, ~std::uint64_t{0}); });
  era::test::problem_recorder problems;
  check(device, problems);
  ASSERT_EQ(problems.names(), names{"writeset-bits-beyond"});
  EXPECT_EQ(describe(problems.problems[0].at), "writeset of era 1211");
}

TEST(check, looks_at_nothing_but_the_superblock_if_told_so) {
  metadata m;
  spoil(m.device, m.live.era_array_root);
  era::test::problem_recorder problems;
  const check_summary summary = check(m.device, problems, true);
  EXPECT_TRUE(problems.problems.empty());
  EXPECT_EQ(summary.blocks_read, 1U);
}

TEST(check, ends_at_a_superblock_that_cannot_be_used) {
  metadata m;
  spoil(m.device, 0);
  era::test::problem_recorder problems;
  const check_summary summary = check(m.device, problems);
  EXPECT_EQ(problems.names(), names{"superblock-checksum"});
  EXPECT_FALSE(summary.superblock_usable);
  EXPECT_EQ(summary.errors, 1U);
  EXPECT_TRUE(summary.first_error.starts_with("bad checksum in superblock")) << summary.first_error;
}

TEST(check, goes_on_after_what_is_only_a_remark_on_the_superblock) {
  metadata m;
  m.change([](superblock& s) { s.flags = 4; });
  m.expect({"superblock-flags"});
}

TEST(check, counts_problems_by_severity) {
  metadata m;
  m.change([](superblock& s) {
    s.flags = 4;
    s.data_block_size = 12;
    ++s.space_map.nr_allocated;
  });
  era::test::problem_recorder problems;
  const check_summary summary = check(m.device, problems);
  EXPECT_EQ(summary.errors, 1U);
  EXPECT_EQ(summary.nonfatal, 0U);
  EXPECT_EQ(summary.remarks, 2U);
}

TEST(check, finds_damaged_blocks_of_every_structure) {
  metadata sound;
  const block_nr blocks[] = {sound.live.writeset_tree_root,
                             sound.live.era_array_root,
                             sound.live.current_root,
                             sound.live.space_map.bitmap_root,
                             sound.live.space_map.ref_count_root,
                             sound.array_block(1),
                             sound.writeset_root(0),
                             sound.bitset_block(1)};
  for (const block_nr block : blocks) {
    SCOPED_TRACE(block);
    metadata checksum;
    spoil(checksum.device, block);
    checksum.expect({"block-checksum"});
    metadata unreadable;
    pd::faulty_device faulty(unreadable.device);
    faulty.fail_reads_of(block);
    EXPECT_EQ(problems_of(faulty), names{"block-unreadable"});
  }
}

TEST(check, finds_a_superblock_that_cannot_be_read) {
  metadata m;
  pd::faulty_device faulty(m.device);
  faulty.fail_reads_of(0);
  EXPECT_EQ(problems_of(faulty), names{"block-unreadable"});
}

TEST(check, finds_blocks_that_are_used_twice) {
  metadata m;
  pd::test::set_child(m.device, m.live.era_array_root, 2, m.array_block(0));
  m.expect({"block-seen-twice", "count-too-low"});
}

TEST(check, finds_a_tree_whose_root_is_used_twice) {
  metadata m;
  const block_nr root = m.writeset_root(0);
  m.change_writeset(1, [&](std::byte* value) { put_le64(value + 4, root); });
  m.expect({"block-seen-twice", "count-too-low"});
}

TEST(check, finds_roots_that_name_no_block) {
  metadata m;
  m.change_writeset(1, [](std::byte* value) { put_le64(value + 4, 0); });
  m.expect({"block-out-of-range", "count-too-low"});
}

TEST(check, finds_wrong_array_blocks) {
  metadata m;
  change_block(m.device, pd::array_block, m.array_block(1),
               [](std::byte* block) { put_le32(block + 8, 1000); });
  m.expect({"array-block-entries"});
  metadata other;
  change_block(other.device, pd::array_block, other.array_block(1),
               [](std::byte* block) { put_le32(block + 4, 1000); });
  other.expect({"array-block-header"});
}

TEST(check, finds_missing_array_blocks) {
  metadata m;
  change_block(m.device, pd::node_block, m.live.era_array_root,
               [](std::byte* block) { pd::put_nr_entries(block, 2); });
  m.expect({"array-block-missing"});
}

TEST(check, remarks_on_stale_array_blocks) {
  metadata m;
  m.change([](superblock& s) { s.nr_blocks = 2036; });
  m.expect({"writeset-nr-bits", "writeset-nr-bits", "writeset-nr-bits", "array-block-stale"});
}

TEST(check, names_the_structure_and_the_blocks_that_are_lost) {
  metadata m;
  spoil(m.device, m.bitset_block(1));
  era::test::problem_recorder problems;
  check(m.device, problems);
  ASSERT_EQ(problems.problems.size(), 1U);
  EXPECT_EQ(describe(problems.problems[0].at), "writeset of era 5");
  EXPECT_EQ(problems.problems[0].first_lost, 0U);
  EXPECT_EQ(problems.problems[0].end_lost, 3000U);
}

TEST(check, finds_eras_of_writesets_that_have_not_been) {
  model m = usual_model();
  m.current.reset();
  m.current_era = 4;
  metadata above(m);
  above.expect({"writeset-era"});
  m.current_era = 5;
  metadata closed(m);
  closed.expect({});
  m.current = std::vector<bool>(3000);
  metadata open(m);
  open.expect({"writeset-era"});
}

TEST(check, finds_keys_that_are_no_eras) {
  metadata m;
  pd::test::set_key(m.device, m.live.writeset_tree_root, 1, std::uint64_t{1} << 32);
  const names found = problems_of(m.device);
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0], "writeset-era");
}

TEST(check, remarks_on_writesets_of_another_length) {
  model m = usual_model();
  m.archived[0].bits.resize(2990);
  m.current->resize(4000);
  metadata(m).expect({"writeset-nr-bits", "writeset-nr-bits"});
}

TEST(check, remarks_on_missing_eras) {
  model m = usual_model();
  m.current_era = 7;
  metadata(m).expect({"writeset-gap"});
  m = usual_model();
  m.archived[0].era = 2;
  for (auto& era : m.array) {
    era = 1;
  }
  metadata(m).expect({"writeset-gap"});
  m.current.reset();
  m.current_era = 5;
  metadata(m).expect({"writeset-gap"});
}

TEST(check, remarks_on_bits_beyond_the_end) {
  metadata m;
  change_block(m.device, pd::array_block, m.bitset_block(0), [](std::byte* block) {
    std::byte* const last = block + 24 + 8 * 46;  // bits 2944 to 3007 of 3000
    put_le64(last, base::get_le64(last) | std::uint64_t{1} << 56);
  });
  m.expect({"writeset-bits-beyond"});
}

TEST(check, finds_a_current_writeset_that_is_archived_too) {
  metadata m;
  m.change([&](superblock& s) { s.current_root = m.writeset_root(1); });
  const names found = problems_of(m.device);
  EXPECT_EQ(found[0], "current-writeset-archived");
  EXPECT_EQ(found[1], "block-seen-twice");
}

TEST(check, finds_eras_that_have_not_been) {
  model m = usual_model();
  m.array[2500] = 7;
  m.array[2501] = 9;
  metadata written(m);
  era::test::problem_recorder problems;
  check(written.device, problems);
  ASSERT_EQ(problems.names(), names{"era-above-current"});
  EXPECT_EQ(problems.problems[0].block, written.array_block(2));
  EXPECT_NE(problems.problems[0].what.find("data block 2500 has era 7"), std::string::npos);
  EXPECT_NE(problems.problems[0].what.find("so have 1 more"), std::string::npos);
}

TEST(check, remarks_on_eras_above_the_oldest_archived_one) {
  model m = usual_model();
  m.array[0] = 5;
  metadata(m).expect({"era-above-archived"});
  m.archived.clear();
  m.array[0] = 6;  // era 6 is still open
  metadata(m).expect({"era-above-archived"});
  m.current.reset();
  metadata(m).expect({});
}

TEST(check, finds_what_is_wrong_with_the_space_map) {
  metadata allocated;
  allocated.change([](superblock& s) { --s.space_map.nr_allocated; });
  allocated.expect({"map-nr-allocated"});
  metadata smaller;
  smaller.change([](superblock& s) { s.space_map.nr_blocks = 90; });
  smaller.expect({"map-smaller"});
  metadata larger;
  larger.change([](superblock& s) { s.space_map.nr_blocks = 101; });
  larger.expect({"map-root"});
  metadata hints;
  change_block(hints.device, pd::index_block, hints.live.space_map.bitmap_root,
               [](std::byte* block) {
                 put_le32(block + 24, base::get_le32(block + 24) + 1);
                 put_le32(block + 28, 99);
               });
  hints.expect({"map-nr-free", "map-none-free-before"});
}

TEST(check, finds_leaks) {
  metadata m;
  m.change_writeset(1, [](std::byte*) {});
  change_block(m.device, pd::node_block, m.live.writeset_tree_root,
               [](std::byte* block) { pd::put_nr_entries(block, 1); });
  // Era 5's bitset is referenced by nobody now, and a gap is left.
  m.expect({"writeset-gap", "count-too-high"});
}

TEST(check, calls_nothing_a_leak_below_a_tree_that_cannot_be_read) {
  for (const int which : {0, 1, 2, 3}) {
    metadata m;
    const block_nr roots[] = {m.live.writeset_tree_root, m.live.era_array_root, m.live.current_root,
                              m.writeset_root(1)};
    spoil(m.device, roots[which]);
    m.expect({"block-checksum"});
  }
}

TEST(check, calls_nothing_a_leak_below_an_array_without_elements_that_cannot_be_read) {
  // A device that was cut to no blocks, with its stale array block left.
  model m = usual_model();
  m.archived.clear();
  m.array.resize(500);
  m.current = std::vector<bool>();
  metadata cut(m);
  cut.change([](superblock& s) { s.nr_blocks = 0; });
  cut.expect({"array-block-stale"});
  spoil(cut.device, cut.live.era_array_root);
  cut.expect({"block-checksum"});
}

TEST(check, remarks_on_the_hints_of_a_device_that_was_never_resumed) {
  model m;
  m.current_era = 0;
  metadata formatted(m);
  formatted.expect({});
  change_block(formatted.device, pd::index_block, formatted.live.space_map.bitmap_root,
               [](std::byte* block) { put_le32(block + 24, base::get_le32(block + 24) + 2); });
  formatted.expect({"map-hints-never-resumed"});
}

TEST(check, remarks_on_nodes_under_a_third) {
  // A tree of two leaves, of which one holds a single writeset.
  model m;
  m.array.assign(10, 0);
  for (std::uint32_t era = 1; era <= 202; ++era) {
    m.archived.push_back({era, std::vector<bool>(10)});
  }
  m.current_era = 202;
  pd::memory_device device(1000);
  const superblock live = write_metadata(device, m);
  const block_nr last = child_of(device, live.writeset_tree_root, 1);
  ASSERT_EQ(pd::node_view(device.block(last)).nr_entries(), 101U);
  change_block(device, pd::node_block, last,
               [](std::byte* block) { pd::put_nr_entries(block, 66); });
  era::test::problem_recorder problems;
  check(device, problems);
  EXPECT_EQ(problems.names()[0], "node-underfull");
}

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
    EXPECT_EQ(summary.live.metadata_snap, live.metadata_snap);
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
  const auto found = problems_of(era.device);
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
  for (const std::string& name : problems_of(m.device)) {
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
