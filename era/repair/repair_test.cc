#include "era/repair/repair.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "era/check/check.h"
#include "era/read/metadata_test_support.h"
#include "era/repair/repair_report.h"

namespace {

using era::metadata_state;
using era::repair_basis;
using era::repair_options;
using era::repair_summary;
using era::superblock;
using era::test::metadata_maker;
using era::test::model;
using era::test::model_in_era_6;
using era::test::write_with_snapshot;
using pd::block_nr;

constexpr std::uint32_t nr_blocks = 3000;

// The last-written era of every block.
std::vector<std::uint32_t> eras_on(pd::block_device& device) {
  era::metadata_file file(device);
  era::strict_sink strict("repaired");
  era::metadata state = file.load(metadata_state::live, strict);
  era::era_reader reader(state, strict);
  std::vector<std::uint32_t> eras(state.superblock.nr_blocks);
  reader.last_written(0, eras);
  return eras;
}

void expect_clean(pd::memory_device& device) {
  era::test::problem_recorder problems;
  base::no_progress silent;
  EXPECT_TRUE(check(device, {}, problems, silent).superblock_usable);
  EXPECT_EQ(problems.text(), "");
}

struct repaired {
  explicit repaired(pd::block_device& from, const repair_options& options = {}) {
    era::metadata_builder building(device);
    base::no_progress silent;
    done = repair(from, options, problems, building, silent);
    expect_clean(device);
  }

  pd::memory_device device{64};
  era::test::problem_recorder problems;
  repair_summary done;
};

void lose_superblock(pd::memory_device& device) {
  std::memset(device.block(0), 0, pd::block_size);
}

repair_options geometry(std::uint32_t data_block_size, std::uint32_t blocks) {
  repair_options options;
  options.data_block_size = data_block_size;
  options.nr_blocks = blocks;
  return options;
}

void expect_all_written(const repaired& result, std::uint32_t era) {
  EXPECT_EQ(result.done.basis, repair_basis::all_written);
  EXPECT_EQ(result.done.contents.facts.current_era, era);
  EXPECT_EQ(result.done.contents.assumed, result.done.contents.facts.nr_blocks);
}

std::string refusal(pd::memory_device& device, const repair_options& options = {}) {
  era::test::problem_recorder problems;
  pd::memory_device output(64);
  era::metadata_builder building(output);
  base::no_progress silent;
  try {
    repair(device, options, problems, building, silent);
  } catch (const base::data_error& error) {
    EXPECT_TRUE(std::all_of(output.block(0), output.block(64),
                            [](std::byte b) { return b == std::byte{0}; }));
    return error.what();
  }
  ADD_FAILURE() << "was repaired";
  return "";
}

TEST(repair, changes_nothing_in_sound_metadata) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  repaired result(device);
  EXPECT_EQ(result.done.basis, repair_basis::superblock);
  EXPECT_EQ(result.done.contents.assumed, 0U);
  EXPECT_EQ(eras_on(result.device), eras_on(device));
}

TEST(repair, counts_what_is_lost_as_written_in_the_current_era) {
  pd::memory_device device(64);
  const superblock live = write_metadata(device, model_in_era_6());
  const std::vector<std::uint32_t> before = eras_on(device);
  pd::test::spoil(device, pd::test::child_of(device, live.era_array_root, 1));
  repaired result(device);
  EXPECT_EQ(result.done.contents.assumed, era::eras_in_a_block);
  const std::vector<std::uint32_t> after = eras_on(result.device);
  for (std::uint32_t block = 0; block < nr_blocks; ++block) {
    const bool lost = block / era::eras_in_a_block == 1;
    ASSERT_EQ(after[block], lost ? 6 : before[block]) << block;
  }
}

TEST(repair, leaves_the_eras_alone_where_only_the_space_map_is_damaged) {
  pd::memory_device device(64);
  const superblock live = write_metadata(device, model_in_era_6());
  const std::vector<std::uint32_t> before = eras_on(device);
  for (const block_nr block :
       {live.space_map.bitmap_root, live.space_map.ref_count_root,
        pd::decode_index_entry(device.block(live.space_map.bitmap_root), 0).bitmap}) {
    pd::test::spoil(device, block);
  }
  repaired result(device);
  EXPECT_EQ(eras_on(result.device), before);
  EXPECT_EQ(result.done.contents.assumed, 0U);
}

TEST(repair, uses_a_superblock_whose_checksum_alone_is_wrong) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  const std::vector<std::uint32_t> before = eras_on(device);
  device.block(0)[3000] ^= std::byte{1};
  repaired result(device);
  EXPECT_EQ(result.done.basis, repair_basis::resealed_superblock);
  EXPECT_EQ(eras_on(result.device), before);
  EXPECT_EQ(result.problems.names(), std::vector<std::string>{"superblock-checksum"});
}

TEST(repair, takes_all_as_written_where_the_superblock_is_lost) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  lose_superblock(device);
  repair_options options;
  options.data_block_size = 64;
  const repaired result(device, options);
  expect_all_written(result, 5 + 1'000'000);
  EXPECT_EQ(result.done.contents.facts.block_size, 64U);
  EXPECT_EQ(result.done.contents.facts.nr_blocks, nr_blocks);
  EXPECT_TRUE(result.done.may_be_longer);
}

TEST(repair, finds_the_block_size_in_a_metadata_snapshot) {
  pd::memory_device device(64);
  const superblock live = write_with_snapshot(device, model_in_era_6());
  lose_superblock(device);
  const repaired result(device);
  expect_all_written(result, 6 + 1'000'000);
  EXPECT_EQ(result.done.contents.facts.block_size, 128U);
  EXPECT_EQ(result.done.data_block_size.source, "block " + std::to_string(live.metadata_snap) +
                                                    ", a superblock of a metadata snapshot");
}

TEST(repair, finds_the_block_size_in_what_is_left_of_the_superblock) {
  pd::memory_device device(64);
  const superblock live = write_metadata(device, model_in_era_6());
  device.block(0)[3000] ^= std::byte{1};
  pd::test::spoil(device, live.era_array_root);
  const repaired result(device);
  expect_all_written(result, 6 + 1'000'000);
  EXPECT_EQ(result.done.contents.facts.block_size, 128U);
  EXPECT_EQ(result.done.contents.facts.nr_blocks, nr_blocks);
}

// Too long is harmless. Too short is not: a kernel would take the rest as never written.
TEST(repair, takes_the_largest_length_that_it_finds) {
  model m = model_in_era_6();
  m.archived[0].bits.resize(4000);
  pd::memory_device device(64);
  write_metadata(device, m);
  lose_superblock(device);
  const repaired result(device, geometry(64, 3500));
  EXPECT_EQ(result.done.contents.facts.nr_blocks, 3500U);
  EXPECT_FALSE(result.done.may_be_longer);
  repair_options options;
  options.data_block_size = 64;
  EXPECT_EQ(repaired(device, options).done.contents.facts.nr_blocks, 4000U);
}

TEST(repair, takes_all_as_written_where_the_caller_contradicts_the_superblock) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  const auto contradicted = [&](const repair_options& options) {
    const repaired result(device, options);
    EXPECT_TRUE(result.done.contradicted);
    EXPECT_EQ(result.done.basis, repair_basis::all_written);
    return result.done.contents.facts;
  };
  EXPECT_EQ(contradicted(geometry(64, nr_blocks)).block_size, 64U);
  EXPECT_EQ(contradicted(geometry(128, 4000)).nr_blocks, 4000U);
  repair_options later;
  later.current_era = 99;
  EXPECT_EQ(contradicted(later).current_era, 99U);
  EXPECT_EQ(repaired(device, geometry(128, nr_blocks)).done.basis, repair_basis::superblock);
}

TEST(repair, refuses_a_new_era_that_is_not_later) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  lose_superblock(device);
  repair_options options = geometry(64, nr_blocks);
  options.current_era = 5;
  EXPECT_NE(refusal(device, options).find("must be later"), std::string::npos);
  options.current_era = 6;
  expect_all_written(repaired(device, options), 6);
}

TEST(repair, makes_metadata_of_nothing_where_the_geometry_is_given) {
  pd::memory_device device(64);
  EXPECT_NE(refusal(device).find("nothing else on the device is a block of era metadata"),
            std::string::npos);
  EXPECT_NE(refusal(device, {metadata_state::live, false, 64, {}, {}}), "");
  expect_all_written(repaired(device, geometry(64, 1000)), 1'000'000);
}

TEST(repair, says_what_it_lacks) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  lose_superblock(device);
  EXPECT_NE(refusal(device).find("no other block says what the data block size is"),
            std::string::npos);
}

TEST(repair, refuses_what_is_not_era_metadata) {
  pd::memory_device device(64);
  write_metadata(device, model_in_era_6());
  superblock newer = era::decode_superblock(device.block(0));
  newer.version = 2;
  metadata_maker::put_superblock(device, newer);
  EXPECT_NE(refusal(device, geometry(64, 1000)).find("its version is 2"), std::string::npos);
  lose_superblock(device);
  pd::seal_block({160774, 8, "thin superblock"}, 0, device.block(0));
  EXPECT_NE(refusal(device, geometry(64, 1000)).find("the metadata of a thin pool"),
            std::string::npos);
}

TEST(repair, believes_the_numbers_of_a_sound_superblock_with_impossible_roots) {
  pd::memory_device device(64);
  superblock live = write_metadata(device, model_in_era_6());
  live.writeset_tree_root = live.era_array_root;
  live.nr_blocks = nr_blocks - 5;
  metadata_maker::put_superblock(device, live);
  const repaired result(device);
  expect_all_written(result, 6 + 1'000'000);
  EXPECT_EQ(result.done.contents.facts.nr_blocks, nr_blocks - 5);
  EXPECT_FALSE(result.done.may_be_longer);
}

// The superblock of a device that was never written to, above the trees of one that was.
superblock without_data_blocks(superblock of) {
  of.nr_blocks = of.current_era = of.current_nr_bits = 0;
  of.current_root = 0;
  return of;
}

TEST(repair, does_not_believe_that_a_device_with_writesets_has_no_data_blocks) {
  pd::memory_device device(64);
  metadata_maker::put_superblock(device,
                                 without_data_blocks(write_metadata(device, model_in_era_6())));
  const repaired result(device);
  expect_all_written(result, 5 + 1'000'000);  // the latest that is archived
  EXPECT_EQ(result.done.contents.facts.nr_blocks, nr_blocks);
  EXPECT_TRUE(result.done.may_be_longer);
  EXPECT_EQ(result.problems.text(),
            "superblock-nr-blocks, block 0, superblock: no data blocks, but archived writesets\n");
}

TEST(repair, refuses_a_snapshot_with_writesets_and_no_data_blocks) {
  pd::memory_device device(64);
  const superblock live = write_with_snapshot(device, model_in_era_6());
  std::byte* copy = device.block(live.metadata_snap);
  superblock held = without_data_blocks(era::decode_superblock(copy));
  era::encode_superblock(held, copy);
  pd::seal_block(era::superblock_block, live.metadata_snap, copy);
  repair_options options;
  options.state = metadata_state::snapshot;
  EXPECT_NE(refusal(device, options).find("no data blocks, but archived writesets"),
            std::string::npos);
}

TEST(repair, shows_what_it_did) {
  pd::memory_device device(64);
  const superblock live = write_metadata(device, model_in_era_6());
  pd::test::spoil(device, pd::test::child_of(device, live.era_array_root, 2));
  EXPECT_EQ(sentences_of(repaired(device).done).back(),
            "the eras of 2036 of 3000 data blocks (67.8 %) are salvaged; assumed as written in the "
            "current era are 964 of 3000 data blocks (32.2 %)");
}

// Damages to a few blocks, any of those in use and the superblock among them.
class damager {
 public:
  damager(pd::memory_device& device, block_nr used, std::mt19937_64& random)
      : device_(device), used_(used), random_(random) {}

  void run() {
    for (std::uint64_t left = random_() % 2 == 0 ? 1 : 1 + random_() % 6; left > 0; --left) {
      damage(random_() % used_);
    }
  }

 private:
  void damage(block_nr block) {
    const block_nr other = random_() % used_;
    switch (random_() % 5) {
      case 0:
        std::memset(device_.block(block), 0, pd::block_size);
        break;
      case 1:
        device_.block(block)[random_() % pd::block_size] ^=
            std::byte{static_cast<unsigned char>(1 + random_() % 255)};
        break;
      case 2:
        std::swap_ranges(device_.block(block), device_.block(block) + pd::block_size,
                         device_.block(other));
        break;
      case 3:
        std::memmove(device_.block(block), device_.block(other), pd::block_size);
        break;
      default:
        std::generate_n(device_.block(block), pd::block_size,
                        [&] { return static_cast<std::byte>(random_()); });
    }
  }

  pd::memory_device& device_;
  block_nr used_;
  std::mt19937_64& random_;
};

TEST(repair, never_loses_a_write_to_random_damage) {
  unsigned by_basis[3] = {};
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    model m = model_in_era_6();
    for (std::uint32_t& era : m.array) {
      era = static_cast<std::uint32_t>(random() % 5);
    }
    pd::memory_device device(64);
    const superblock live =
        random() % 2 == 0 ? write_metadata(device, m) : write_with_snapshot(device, m);
    const std::vector<std::uint32_t> before = eras_on(device);
    damager(device, live.space_map.nr_allocated, random).run();
    repaired result(device, geometry(128, nr_blocks));
    ++by_basis[static_cast<int>(result.done.basis)];
    const std::vector<std::uint32_t> after = eras_on(result.device);
    ASSERT_EQ(after.size(), before.size());
    EXPECT_GE(result.done.contents.facts.current_era, m.current_era);
    std::uint32_t assumed = 0;
    for (std::uint32_t block = 0; block < nr_blocks; ++block) {
      ASSERT_GE(after[block], before[block]) << block;
      assumed += after[block] > before[block] ? 1 : 0;
    }
    EXPECT_LE(assumed, result.done.contents.assumed);
  }
  for (const unsigned cases : by_basis) {
    EXPECT_GT(cases, 0U);
  }
}

}  // namespace
