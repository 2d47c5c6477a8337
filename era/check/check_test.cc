#include "era/check/check.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <functional>

#include "era/check/check_test_support.h"
#include "persistent-data/faulty_device.h"

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
using pd::test::child_of;
using pd::test::spoil;

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
  EXPECT_EQ(summary.found.nr_blocks, 3000U);
  EXPECT_EQ(summary.archived_writesets, 2U);
  EXPECT_FALSE(summary.snapshot_read);
  EXPECT_EQ(summary.blocks_read, m.live.space_map.nr_allocated);
}

TEST(check, finds_nothing_in_sound_metadata_of_many_shapes) {
  for (const bool open : {false, true}) {
    for (const std::uint32_t nr_blocks : {1U, 1018U, 2036U, 32576U}) {
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
        EXPECT_EQ(problem_names_of(device), names{});
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
  EXPECT_EQ(problem_names_of(device), names{});
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
  const check_summary summary = check(m.device, problems, {true});
  EXPECT_TRUE(problems.problems.empty());
  EXPECT_EQ(summary.blocks_read, 1U);
  EXPECT_FALSE(summary.archived_writesets);
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
    s.space_map.nr_blocks = 90;
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
    EXPECT_EQ(problem_names_of(faulty), names{"block-unreadable"});
  }
}

TEST(check, finds_a_superblock_that_cannot_be_read) {
  metadata m;
  pd::faulty_device faulty(m.device);
  faulty.fail_reads_of(0);
  EXPECT_EQ(problem_names_of(faulty), names{"block-unreadable"});
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
  const names found = problem_names_of(m.device);
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
  const names found = problem_names_of(m.device);
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

TEST(check, finds_eras_that_digestion_would_lower) {
  model m = usual_model();
  m.array[0] = 5;
  metadata written(m);
  era::test::problem_recorder problems;
  check(written.device, problems);
  ASSERT_EQ(problems.names(), names{"era-above-archived"});
  EXPECT_EQ(problems.problems[0].what, "data block 0 has era 5, but era 4 is not yet digested");
  EXPECT_EQ(row_of(problems.problems[0].code).how_bad, era::severity::nonfatal);
  m.archived.clear();
  m.array[0] = 6;  // nothing will be put over it but era 6 itself
  metadata(m).expect({});
  m.current.reset();
  metadata(m).expect({});
}

TEST(check, counts_no_writesets_where_the_tree_cannot_be_read) {
  metadata m;
  spoil(m.device, m.live.writeset_tree_root);
  era::test::problem_recorder problems;
  EXPECT_FALSE(check(m.device, problems).archived_writesets);
  EXPECT_EQ(consequence_of(problems.problems.at(0)),
            "which blocks were written in the eras 0 to 6 is unknown");
}

TEST(check, says_first_that_a_copy_is_incomplete) {
  const metadata whole;
  pd::memory_device cut(50);
  std::memcpy(cut.block(0), whole.device.block(0), 50 * pd::block_size);
  era::test::problem_recorder problems;
  const check_summary summary = check(cut, problems);
  EXPECT_EQ(problems.names(), names{"device-cut-off"});
  EXPECT_EQ(summary.first_error,
            "its space map covers 100 blocks, but the device has 50: it is cut off, or an "
            "incomplete copy");
}

TEST(check, finds_a_device_without_blocks_that_has_eras) {
  metadata current;
  current.change([](superblock& s) { s.nr_blocks = 0; });
  EXPECT_EQ(problem_names_of(current.device).at(0), "superblock-nr-blocks");
  model m = usual_model();
  m.current_era = 0;
  m.current.reset();
  m.array.clear();
  m.archived = {{0, {true}}};
  metadata archived(m);
  EXPECT_EQ(problem_names_of(archived.device).at(0), "superblock-nr-blocks");
}

TEST(check, looks_at_the_numbers_of_stale_array_blocks_too) {
  metadata cut;  // to two full array blocks; the tree of three is left
  cut.change([](superblock& s) { s.nr_blocks = 2036; });
  for (const block_nr where : {block_nr{0}, block_nr{1000}}) {
    change_block(cut.device, pd::node_block, cut.live.era_array_root,
                 [&](std::byte* block) { put_le64(block + 2048 + 16, where); });
    const names found = problem_names_of(cut.device);
    EXPECT_EQ(std::count(found.begin(), found.end(), "block-out-of-range"), 1) << where;
    EXPECT_EQ(std::count(found.begin(), found.end(), "array-block-stale"), 0) << where;
  }
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
  larger.expect({"device-cut-off"});
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
  cut.expect({"superblock-nr-blocks", "array-block-stale"});
  spoil(cut.device, cut.live.era_array_root);
  cut.expect({"superblock-nr-blocks", "block-checksum"});
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

}  // namespace
