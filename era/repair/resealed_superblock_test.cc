#include "era/repair/resealed_superblock.h"

#include <gtest/gtest.h>

#include "era/read/metadata_test_support.h"

namespace {

using era::superblock;
using era::test::model;

constexpr std::uint32_t nr_blocks = 2500;

// Eras 4 and 5 archived, 6 open or just ended.
model usual_model(bool open) {
  model m;
  m.current_era = 6;
  m.array.assign(nr_blocks, 3);
  for (const std::uint32_t era : {4U, 5U, 6U}) {
    std::vector<bool> bits(nr_blocks);
    bits[era * 10] = bits[nr_blocks - era] = true;
    if (era < 6 || !open) {
      m.archived.push_back({era, bits});
    } else {
      m.current = bits;
    }
  }
  return m;
}

enum class kind { closed, open, with_snapshot };

void write(pd::memory_device& device, kind which) {
  const model m = usual_model(which != kind::closed);
  if (which == kind::with_snapshot) {
    write_with_snapshot(device, m);
  } else {
    write_metadata(device, m);
  }
}

std::optional<superblock> found_on(pd::memory_device& device) {
  base::no_progress silent;
  return era::find_resealed_superblock(device, silent);
}

// All that decides what is read, when it was written, and what is taken for free.
void expect_same(const superblock& a, const superblock& b, std::size_t bit) {
  EXPECT_EQ(a.nr_blocks, b.nr_blocks) << bit;
  EXPECT_EQ(a.current_era, b.current_era) << bit;
  EXPECT_EQ(a.current_root, b.current_root) << bit;
  EXPECT_TRUE(!a.current_open() || a.current_nr_bits == b.current_nr_bits) << bit;
  EXPECT_EQ(a.writeset_tree_root, b.writeset_tree_root) << bit;
  EXPECT_EQ(a.era_array_root, b.era_array_root) << bit;
  EXPECT_EQ(a.metadata_snap, b.metadata_snap) << bit;
}

class resealed_superblock : public testing::TestWithParam<kind> {};

TEST_P(resealed_superblock, is_found_where_only_the_checksum_is_wrong) {
  pd::memory_device device(64);
  write(device, GetParam());
  const superblock original = era::decode_superblock(device.block(0));
  device.block(0)[0] ^= std::byte{1};
  const std::optional<superblock> found = found_on(device);
  ASSERT_TRUE(found);
  expect_same(*found, original, 0);
}

// The proof of it: whichever bit of the fields is wrong, nothing else is ever believed.
TEST_P(resealed_superblock, is_the_one_that_was_written_or_none) {
  pd::memory_device device(64);
  write(device, GetParam());
  const superblock original = era::decode_superblock(device.block(0));
  unsigned accepted = 0;
  for (std::size_t bit = 0; bit < std::size_t{8} * 224; ++bit) {
    const std::byte mask{static_cast<unsigned char>(1U << bit % 8)};
    device.block(0)[bit / 8] ^= mask;
    if (const std::optional<superblock> found = found_on(device)) {
      ++accepted;
      expect_same(*found, original, bit);
    }
    device.block(0)[bit / 8] ^= mask;
  }
  EXPECT_GT(accepted, 200U);  // checksum, flags, uuid and what else means nothing
  EXPECT_LT(accepted, 1300U);
}

TEST_P(resealed_superblock, is_not_looked_for_where_the_checksum_is_right) {
  pd::memory_device device(64);
  write(device, GetParam());
  EXPECT_FALSE(found_on(device));
}

TEST_P(resealed_superblock, needs_all_of_the_metadata_to_be_sound) {
  pd::memory_device device(64);
  write(device, GetParam());
  const superblock original = era::decode_superblock(device.block(0));
  device.block(0)[0] ^= std::byte{1};
  for (const pd::block_nr block : {original.era_array_root, original.space_map.bitmap_root}) {
    pd::test::spoil(device, block);
    EXPECT_FALSE(found_on(device)) << block;
    pd::test::spoil(device, block);
  }
  EXPECT_TRUE(found_on(device));
}

INSTANTIATE_TEST_SUITE_P(all, resealed_superblock,
                         testing::Values(kind::closed, kind::open, kind::with_snapshot));

// Nothing but block 0 says then what the current era is, and one that is too early would be given
// to new writes a second time.
TEST(resealed_superblock_alone, is_not_believed_where_no_era_is_archived) {
  model m = usual_model(true);
  m.archived.clear();
  pd::memory_device device(64);
  write_metadata(device, m);
  device.block(0)[0] ^= std::byte{1};
  EXPECT_FALSE(found_on(device));
}

// The state of the transaction before is often still whole, with its own space map: only block 0
// says that it is not the newest.
TEST(resealed_superblock_alone, is_not_taken_from_a_block_of_a_metadata_snapshot) {
  pd::memory_device device(64);
  write(device, kind::with_snapshot);
  const superblock original = era::decode_superblock(device.block(0));
  std::memcpy(device.block(0), device.block(original.metadata_snap), pd::block_size);
  device.block(0)[0] ^= std::byte{1};
  EXPECT_FALSE(found_on(device));
}

TEST(device_with_superblock, shows_another_block_0_and_is_not_written_to) {
  pd::memory_device below(64);
  write(below, kind::closed);
  superblock other = era::decode_superblock(below.block(0));
  other.current_era = 77;
  era::device_with_superblock device(below, other);
  pd::block_buffer buffer(2);
  std::vector<pd::read_request> requests = {{0, buffer.block(0), 0}, {1, buffer.block(1), 0}};
  device.read(requests);
  EXPECT_TRUE(era::has_sound_checksum(buffer.block(0)));
  EXPECT_EQ(era::decode_superblock(buffer.block(0)).current_era, 77U);
  EXPECT_EQ(std::memcmp(buffer.block(1), below.block(1), pd::block_size), 0);
  const pd::write_request write{1, buffer.block(1)};
  EXPECT_THROW(device.write({&write, 1}), base::io_error);
}

}  // namespace
