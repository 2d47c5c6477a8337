#include "persistent-data/space_map.h"

#include <gtest/gtest.h>

#include <map>

#include "base/error.h"
#include "persistent-data/metadata_test_support.h"
#include "persistent-data/space_map_builder.h"
#include "persistent-data/space_map_check.h"

namespace {

using base::get_le32;
using base::get_le64;
using base::put_le32;
using base::put_le64;
using pd::block_nr;
using pd::damage;
using pd::damage_kind;
using pd::test::change_block;
using pd::test::text_of;

constexpr block_nr per_bitmap = 16320;

// A device with some blocks in use, whose contents don't matter, and the map of it.
class mapped_device {
 public:
  mapped_device(block_nr nr_blocks, block_nr in_use,
                const std::map<block_nr, std::uint32_t>& counts)
      : device(nr_blocks), counts_(in_use, 1) {
    for (const auto& [block, count] : counts) {
      counts_[block] = count;
    }
    pd::bulk_writer writer(device, 1, nullptr);
    const pd::block_buffer nothing(1);
    while (writer.next() < in_use) {
      writer.append(pd::node_block, nothing.block(0));
    }
    root = pd::write_space_map(writer, counts_);
    end = writer.next();
    writer.flush();
  }

  void set_references(block_nr block, std::uint32_t count) { references_[block] = count; }

  std::vector<damage> check(bool counts_complete = true) {
    pd::block_reader reader(device);
    pd::walk_context context(reader);
    pd::reference_counts counts(reader.usable());
    context.counts = &counts;
    for (block_nr block = 0; block < counts_.size(); ++block) {
      counts.set(block, counts_[block]);
    }
    for (const auto& [block, count] : references_) {
      counts.set(block, count);
    }
    for (const block_nr block : seen) {
      context.seen.insert(block);
    }
    pd::test::damage_recorder recorder;
    pd::check_space_map(context, root, counts_complete, recorder);
    return recorder.found;
  }

  block_nr bitmap(std::size_t i) const {
    return get_le64(device.block(root.bitmap_root) + 16 + 16 * i);
  }

  // The two bits of a block in its bitmap: 0 free, 1 high bit, 2 low bit, 3 both.
  void set_bits(block_nr block, std::uint64_t bits) {
    change_block(device, pd::bitmap_block, bitmap(block / per_bitmap), [&](std::byte* at) {
      std::byte* const word = at + 16 + 8 * (block % per_bitmap / 32);
      const unsigned shift = 2 * (block % 32);
      put_le64(word, (get_le64(word) & ~(std::uint64_t{3} << shift)) | bits << shift);
    });
  }

  void set_nr_free(std::size_t i, std::uint32_t nr_free) { set_index(16 + 16 * i + 8, nr_free); }
  std::uint32_t nr_free(std::size_t i) const {
    return get_le32(device.block(root.bitmap_root) + 16 + 16 * i + 8);
  }
  void set_none_free_before(std::size_t i, std::uint32_t entry) {
    set_index(16 + 16 * i + 12, entry);
  }
  std::uint32_t none_free_before(std::size_t i) const {
    return get_le32(device.block(root.bitmap_root) + 16 + 16 * i + 12);
  }
  void set_index(std::size_t at, std::uint32_t value) {
    change_block(device, pd::index_block, root.bitmap_root,
                 [&](std::byte* block) { put_le32(block + at, value); });
  }

  pd::memory_device device;
  pd::space_map_root root;
  block_nr end = 0;            // after the last block in use
  std::vector<block_nr> seen;  // met before, in other structures

 private:
  std::vector<std::uint32_t> counts_;
  std::map<block_nr, std::uint32_t> references_;
};

void expect_one(const std::vector<damage>& found, damage_kind kind, block_nr block) {
  ASSERT_EQ(found.size(), 1U) << text_of(found);
  EXPECT_EQ(found[0].kind, kind) << text_of(found);
  EXPECT_EQ(found[0].block, block) << text_of(found);
}

TEST(space_map_root, lies_in_32_bytes) {
  std::byte bytes[32];
  pd::encode_space_map_root({256, 11, 1, 2}, bytes);
  EXPECT_EQ(get_le64(bytes), 256U);
  EXPECT_EQ(get_le64(bytes + 8), 11U);
  EXPECT_EQ(get_le64(bytes + 16), 1U);
  EXPECT_EQ(get_le64(bytes + 24), 2U);
  const pd::space_map_root root = pd::decode_space_map_root(bytes);
  EXPECT_EQ(root.nr_blocks, 256U);
  EXPECT_EQ(root.nr_allocated, 11U);
  EXPECT_EQ(root.bitmap_root, 1U);
  EXPECT_EQ(root.ref_count_root, 2U);
}

TEST(space_map, is_sound_on_devices_of_many_sizes) {
  for (const block_nr nr_blocks :
       {block_nr{4}, block_nr{5}, block_nr{31}, block_nr{32}, block_nr{33}, block_nr{1000},
        per_bitmap - 1, per_bitmap, per_bitmap + 1, 3 * per_bitmap, 3 * per_bitmap + 1}) {
    SCOPED_TRACE(nr_blocks);
    mapped_device d(nr_blocks, 1, {});
    EXPECT_TRUE(d.check().empty()) << text_of(d.check());
    EXPECT_EQ(d.root.nr_blocks, nr_blocks);
    EXPECT_EQ(d.root.nr_allocated, d.end);
    // Superblock, count tree, bitmaps, index.
    EXPECT_EQ(d.end, 3 + base::ceil_div(nr_blocks, per_bitmap));
  }
}

TEST(space_map, is_sound_where_the_blocks_in_use_go_over_several_bitmaps) {
  for (const block_nr in_use : {per_bitmap - 4, per_bitmap - 3, per_bitmap - 1, per_bitmap,
                                per_bitmap + 1, 2 * per_bitmap - 2}) {
    SCOPED_TRACE(in_use);
    mapped_device d(2 * per_bitmap + 50, in_use, {{in_use - 1, 2}});
    EXPECT_TRUE(d.check().empty()) << text_of(d.check());
    EXPECT_EQ(d.root.nr_allocated, in_use + 5);
  }
}

TEST(space_map, is_sound_on_a_device_that_is_full) {
  mapped_device d(100, 97, {});
  EXPECT_EQ(d.end, 100U);
  EXPECT_TRUE(d.check().empty()) << text_of(d.check());
}

TEST(space_map, does_not_fit_a_device_without_room) {
  EXPECT_THROW(mapped_device(100, 98, {}), base::io_error);
}

TEST(space_map, has_the_free_counts_of_the_kernel) {
  mapped_device d(per_bitmap + 100, 50, {});
  EXPECT_EQ(d.nr_free(0), per_bitmap - d.end);
  EXPECT_EQ(d.nr_free(1), per_bitmap);
  EXPECT_EQ(d.none_free_before(0), d.end);
  EXPECT_EQ(d.none_free_before(1), 0U);
}

TEST(space_map, keeps_small_counts_in_the_bitmap_high_bit_first) {
  mapped_device d(100, 10, {{4, 2}, {5, 3}});
  // Blocks 0 to 3: low bit only (binary 10); 4: high bit only (01); 5: both.
  EXPECT_EQ(get_le64(d.device.block(d.bitmap(0)) + 16) & 0xFFFF, 0xADAAU);
  EXPECT_TRUE(d.check().empty());
}

TEST(space_map, keeps_large_counts_in_the_tree) {
  std::map<block_nr, std::uint32_t> counts;
  for (block_nr block = 1; block < 2000; block += 3) {
    counts[block] = static_cast<std::uint32_t>(2 + block % 5);
  }
  counts[1999] = UINT32_MAX;
  mapped_device d(per_bitmap + 5, 2000, counts);
  EXPECT_TRUE(d.check().empty()) << text_of(d.check());
  EXPECT_TRUE(pd::node_view(d.device.block(d.root.ref_count_root)).flags() == 1);
}

TEST(space_map, takes_both_ways_to_count_free_blocks) {
  mapped_device d(per_bitmap + 100, 50, {});
  d.set_nr_free(1, 100);  // 0.9.0 counts what is there, the kernel a full bitmap
  EXPECT_TRUE(d.check().empty());
  for (const std::uint32_t wrong : {0U, 99U, 101U, 16319U, 16321U}) {
    d.set_nr_free(1, wrong);
    expect_one(d.check(), damage_kind::map_nr_free, d.root.bitmap_root);
  }
}

TEST(space_map, finds_a_wrong_number_of_free_blocks_in_a_full_bitmap) {
  mapped_device d(per_bitmap + 100, 50, {});
  d.set_nr_free(0, d.nr_free(0) + 1);
  expect_one(d.check(), damage_kind::map_nr_free, d.root.bitmap_root);
}

TEST(space_map, takes_any_hint_below_the_first_free_block) {
  mapped_device d(1000, 50, {});
  for (const std::uint32_t hint : {0U, 1U, d.none_free_before(0)}) {
    d.set_none_free_before(0, hint);
    EXPECT_TRUE(d.check().empty());
  }
  for (const auto wrong : {static_cast<std::uint32_t>(d.end) + 1, UINT32_MAX}) {
    d.set_none_free_before(0, wrong);
    expect_one(d.check(), damage_kind::map_none_free_before, d.root.bitmap_root);
  }
}

TEST(space_map, finds_counts_that_are_too_low) {
  mapped_device d(1000, 50, {{20, 2}});
  d.set_references(7, 2);
  d.set_references(20, 3);
  const auto found = d.check();
  ASSERT_EQ(found.size(), 2U) << text_of(found);
  EXPECT_EQ(found[0].kind, damage_kind::count_too_low);
  EXPECT_EQ(found[0].block, 7U);
  EXPECT_EQ(found[1].kind, damage_kind::count_too_low);
  EXPECT_EQ(found[1].block, 20U);
}

TEST(space_map, finds_blocks_in_use_that_it_calls_free) {
  mapped_device d(1000, 50, {});
  d.set_references(500, 1);
  expect_one(d.check(), damage_kind::count_too_low, 500);
  expect_one(d.check(false), damage_kind::count_too_low, 500);
}

TEST(space_map, finds_leaks) {
  mapped_device d(1000, 50, {{20, 2}});
  d.set_references(7, 0);
  d.set_references(20, 1);
  const auto found = d.check();
  ASSERT_EQ(found.size(), 2U) << text_of(found);
  EXPECT_EQ(found[0].kind, damage_kind::count_too_high);
  EXPECT_EQ(found[0].block, 7U);
  EXPECT_EQ(found[1].block, 20U);
}

TEST(space_map, calls_nothing_a_leak_where_references_are_unknown) {
  mapped_device d(1000, 50, {{20, 2}});
  d.set_references(7, 0);
  d.set_references(20, 1);
  EXPECT_TRUE(d.check(false).empty());
}

TEST(space_map, reports_neighbours_with_the_same_fault_once) {
  mapped_device d(1000, 50, {});
  for (block_nr block = 10; block < 30; ++block) {
    d.set_references(block, block == 25 ? 2 : 0);
  }
  const auto found = d.check();
  ASSERT_EQ(found.size(), 3U) << text_of(found);
  EXPECT_EQ(found[0].block, 10U);
  EXPECT_NE(found[0].what.find("up to 24"), std::string::npos) << found[0].what;
  EXPECT_EQ(found[1].block, 25U);
  EXPECT_EQ(found[1].kind, damage_kind::count_too_low);
  EXPECT_EQ(found[2].block, 26U);
  EXPECT_NE(found[2].what.find("up to 29"), std::string::npos) << found[2].what;
}

TEST(space_map, finds_a_wrong_number_of_blocks_in_use) {
  mapped_device d(1000, 50, {});
  ++d.root.nr_allocated;
  expect_one(d.check(), damage_kind::map_nr_allocated, 0);
  d.root.nr_allocated = 0;
  expect_one(d.check(), damage_kind::map_nr_allocated, 0);
}

TEST(space_map, finds_a_bitmap_that_disagrees_with_everything_else) {
  mapped_device d(1000, 50, {});
  d.set_bits(600, 2);  // count 1, for no reference
  const auto found = d.check();
  ASSERT_EQ(found.size(), 3U) << text_of(found);
  EXPECT_EQ(found[0].kind, damage_kind::map_nr_free);
  EXPECT_EQ(found[1].kind, damage_kind::count_too_high);
  EXPECT_EQ(found[1].block, 600U);
  EXPECT_EQ(found[2].kind, damage_kind::map_nr_allocated);
}

TEST(space_map, finds_counts_past_its_end) {
  mapped_device d(1000, 50, {});
  d.set_bits(1000, 2);
  expect_one(d.check(), damage_kind::map_beyond_the_end, d.bitmap(0));
  d.set_bits(1000, 0);
  d.set_bits(per_bitmap - 1, 1);
  expect_one(d.check(), damage_kind::map_beyond_the_end, d.bitmap(0));
}

TEST(space_map, finds_index_entries_past_its_end) {
  for (const std::size_t at : {0U, 8U, 12U}) {
    for (const std::size_t entry : {1U, 254U}) {
      mapped_device d(1000, 50, {});
      d.set_index(16 + 16 * entry + at, 1);
      expect_one(d.check(), damage_kind::map_index_entry, d.root.bitmap_root);
    }
  }
}

TEST(space_map, finds_sizes_that_do_not_fit_the_device) {
  mapped_device d(1000, 50, {});
  d.root.nr_blocks = 1001;
  expect_one(d.check(), damage_kind::map_root, 0);
  d.root.nr_blocks = UINT64_MAX;
  expect_one(d.check(), damage_kind::map_root, 0);
}

TEST(space_map, may_cover_less_than_the_device) {
  mapped_device d(1000, 50, {});
  d.root.nr_blocks = 900;
  d.set_nr_free(0, d.nr_free(0));
  expect_one(d.check(), damage_kind::map_smaller, 0);
}

TEST(space_map, finds_references_behind_what_it_covers) {
  mapped_device d(1000, 50, {});
  d.root.nr_blocks = 900;
  d.set_references(950, 1);
  const auto found = d.check();
  ASSERT_EQ(found.size(), 2U) << text_of(found);
  EXPECT_EQ(found[1].kind, damage_kind::count_too_low);
  EXPECT_EQ(found[1].block, 950U);
}

TEST(space_map, without_blocks_is_an_error) {
  mapped_device d(1000, 50, {});
  d.root.nr_blocks = 0;
  const auto found = d.check();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].kind, damage_kind::map_root);
}

TEST(space_map, finds_a_bitmap_entry_that_the_tree_does_not_have) {
  mapped_device d(1000, 50, {});
  d.set_bits(20, 3);
  d.set_references(20, 3);
  expect_one(d.check(), damage_kind::map_count_tree, 20);
}

TEST(space_map, finds_tree_entries_that_no_bitmap_entry_needs) {
  for (const block_nr block : {block_nr{20}, block_nr{49}}) {
    mapped_device d(1000, 50, {{block, 4}});
    d.set_bits(block, 1);
    d.set_references(block, 2);
    expect_one(d.check(), damage_kind::map_count_tree, block);
  }
}

TEST(space_map, finds_tree_entries_for_blocks_that_it_does_not_have) {
  mapped_device d(1000, 50, {{20, 4}});
  pd::test::set_key(d.device, d.root.ref_count_root, 0, 1000);
  d.set_bits(20, 1);
  d.set_references(20, 2);
  expect_one(d.check(), damage_kind::map_count_tree, d.root.ref_count_root);
}

TEST(space_map, finds_small_counts_in_the_tree) {
  mapped_device d(1000, 50, {{20, 4}});
  change_block(d.device, pd::node_block, d.root.ref_count_root,
               [](std::byte* block) { put_le32(block + 2720, 2); });
  d.set_references(20, 3);
  expect_one(d.check(), damage_kind::map_count_tree, d.root.ref_count_root);
}

TEST(space_map, knows_nothing_without_its_index) {
  mapped_device d(1000, 50, {});
  pd::test::spoil(d.device, d.root.bitmap_root);
  expect_one(d.check(), damage_kind::block_checksum, d.root.bitmap_root);
  d.root.bitmap_root = 0;
  expect_one(d.check(), damage_kind::block_out_of_range, 0);
  d.root.bitmap_root = 1000;
  expect_one(d.check(), damage_kind::block_out_of_range, 1000);
}

TEST(space_map, finds_an_index_in_a_block_of_something_else) {
  mapped_device d(1000, 50, {});
  d.seen.push_back(d.root.bitmap_root);
  expect_one(d.check(), damage_kind::block_seen_twice, d.root.bitmap_root);
}

TEST(space_map, compares_what_is_left_when_a_bitmap_is_lost) {
  mapped_device d(2 * per_bitmap, 50, {});
  pd::test::spoil(d.device, d.bitmap(0));
  d.set_references(per_bitmap + 7, 1);
  const auto found = d.check();
  ASSERT_EQ(found.size(), 2U) << text_of(found);
  EXPECT_EQ(found[0].kind, damage_kind::block_checksum);
  EXPECT_EQ(found[0].block, d.bitmap(0));
  EXPECT_EQ(found[1].kind, damage_kind::count_too_low);
  EXPECT_EQ(found[1].block, per_bitmap + 7);
}

TEST(space_map, finds_a_bitmap_that_is_used_twice) {
  mapped_device d(2 * per_bitmap, 50, {});
  change_block(d.device, pd::index_block, d.root.bitmap_root,
               [&](std::byte* block) { put_le64(block + 32, d.bitmap(0)); });
  const auto found = d.check();
  ASSERT_FALSE(found.empty());
  EXPECT_EQ(found[0].kind, damage_kind::block_seen_twice);
  EXPECT_EQ(found[0].block, d.bitmap(0));
}

TEST(space_map, claims_nothing_of_large_counts_without_its_count_tree) {
  mapped_device d(1000, 50, {{20, 4}, {21, 2}});
  pd::test::spoil(d.device, d.root.ref_count_root);
  d.set_references(21, 1);
  expect_one(d.check(), damage_kind::block_checksum, d.root.ref_count_root);
}

}  // namespace
