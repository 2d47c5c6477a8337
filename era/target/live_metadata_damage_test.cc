// Metadata that lies: sound checksums over wrong contents. Whatever is there, a target ends in
// base::error or goes on; it never crashes, and never works for ever.
#include <gtest/gtest.h>

#include <random>

#include "era/target/target_test_support.h"

namespace {

using era::superblock;
using era::test::metadata_maker;
using era::test::model;
using era::test::table_of;
using era::test::test_devices;
using era::test::write;
using pd::block_nr;
using pd::test::change_block;

constexpr block_nr metadata_blocks = 120;
constexpr std::uint32_t nr_blocks = 1100;
constexpr std::uint32_t most_blocks = 1500;
constexpr std::uint32_t block_size = 8;

// Eras 3 to 5 archived, 6 open, and a metadata snapshot that shares all but the last.
superblock write_image(pd::memory_device& device) {
  std::mt19937_64 random(1);
  model m;
  m.current_era = 6;
  for (std::uint32_t block = 0; block < nr_blocks; ++block) {
    m.array.push_back(block % 3);
  }
  for (const std::uint32_t era : {3U, 4U, 5U}) {
    m.archived.push_back({era, era::test::random_bits(nr_blocks, 5, random)});
  }
  m.current = era::test::random_bits(nr_blocks, 5, random);
  metadata_maker maker(device);
  superblock live = write_trees(maker, m);
  live.data_block_size = block_size;
  live.metadata_snap = maker.snapshot_of(live);
  maker.add_reference(live.writeset_tree_root);
  maker.add_reference(live.era_array_root);
  return maker.finish(live);
}

// All that a target does with its metadata, from the first resume with this length on. True if it
// got through.
bool lives(test_devices& devices, std::uint32_t blocks) {
  try {
    era::target target(table_of(std::uint64_t{blocks} * block_size, block_size), devices);
    target.resume();
    write(target, 0, 1);
    target.message("checkpoint");
    std::uint64_t steps = 0;
    while (target.step()) {
      if (++steps > 100000) {
        ADD_FAILURE() << "digestion comes to no end";
        return false;
      }
    }
    target.status_info();
    if (devices.on_disk().metadata_snap != pd::no_block) {
      target.message("drop_metadata_snap");
    }
    target.message("take_metadata_snap");
    write(target, 0, 1);
    target.suspend();
    target.resume();
    target.message("drop_metadata_snap");
    return true;
  } catch (const base::error&) {
    return false;
  }
}

const pd::block_type& type_of(const std::byte* block) {
  const std::uint32_t salt = pd::body_crc(block) ^ pd::stored_checksum(block);
  for (const pd::block_type* const type : {&era::superblock_block, &pd::node_block,
                                           &pd::array_block, &pd::index_block, &pd::bitmap_block}) {
    if (type->salt == salt) {
      return *type;
    }
  }
  throw std::logic_error("a block without a type");
}

class lying_metadata : public testing::Test {
 protected:
  lying_metadata() : live_(write_image(devices_.stable)) {
    std::memcpy(image_.block(0), devices_.stable.block(0), metadata_blocks * pd::block_size);
  }

  // The device as it was at first.
  void restore() {
    std::mt19937_64 random;
    devices_.metadata_device.cut_power(random);
    std::memcpy(devices_.stable.block(0), image_.block(0), metadata_blocks * pd::block_size);
  }

  // Up to three bytes of a block, most of them in the numbers that lead on, become small numbers or
  // any.
  void change_bytes(block_nr where, std::mt19937_64& random) {
    const pd::block_type& type = type_of(devices_.stable.block(where));
    change_block(devices_.stable, type, where, [&](std::byte* block) {
      for (std::uint64_t n = 1 + random() % 3; n > 0; --n) {
        constexpr std::size_t areas[] = {0, 40, 160, 1640, 2048};
        const std::size_t at = random() % 4 == 0
                                   ? random() % pd::block_size
                                   : areas[random() % std::size(areas)] + random() % 64;
        block[at] = static_cast<std::byte>(random() % (random() % 2 == 0 ? 32 : 256));
      }
    });
  }

  test_devices devices_{metadata_blocks, std::uint64_t{most_blocks} * block_size};
  superblock live_;
  pd::block_buffer image_{metadata_blocks};
};

TEST_F(lying_metadata, is_good_metadata_before_it_lies) {
  EXPECT_TRUE(lives(devices_, nr_blocks));
  EXPECT_EQ(era::test::problems_of(devices_.stable), "");
}

TEST_F(lying_metadata, ends_in_an_error_or_goes_on_wherever_a_byte_is_wrong) {
  std::mt19937_64 random(1);
  const block_nr used = live_.space_map.nr_allocated;
  unsigned through = 0;
  unsigned refused = 0;
  for (unsigned n = 0; n < 150; ++n) {
    for (block_nr where = 0; where < used; ++where) {
      restore();
      change_bytes(where, random);
      const bool good = lives(devices_, n % 3 == 0 ? nr_blocks : n % 3 == 1 ? 900 : most_blocks);
      through += good;
      refused += !good;
    }
  }
  EXPECT_GT(through, 100U);
  EXPECT_GT(refused, 100U);
}

// Keys that a look from the left finds, and a search does not.
TEST(lying_tree, of_writesets_whose_lowest_key_cannot_be_found_is_an_error) {
  pd::memory_device device(2000);
  model m;
  m.current_era = 301;
  m.array.assign(10, 0);
  for (std::uint32_t era = 1; era <= 300; ++era) {
    m.archived.push_back({era, std::vector<bool>(10)});
  }
  const superblock live = write_metadata(device, m);
  pd::test::set_key(device, live.writeset_tree_root, 0, 2);
  era::live_metadata metadata(device, 128);
  EXPECT_THROW(metadata.digest_step(), base::data_error);
}

TEST(lying_tree, of_the_era_array_whose_highest_key_cannot_be_found_is_an_error) {
  pd::memory_device device(200);
  model m;
  m.array.assign(10, 0);
  metadata_maker maker(device);
  superblock live = write_trees(maker, m);
  const auto leaf_of = [&](std::uint64_t first, std::uint32_t count) {
    pd::block_buffer block(1);
    pd::init_node(block.block(0), true, 8);
    for (std::uint32_t i = 0; i < count; ++i) {
      std::byte value[8];
      base::put_le64(value, 1);
      pd::put_entry(block.block(0), i, first + i, value);
    }
    pd::put_nr_entries(block.block(0), count);
    return maker.writer().append(pd::node_block, block.block(0));
  };
  const block_nr left = leaf_of(0, 100);
  const block_nr right = leaf_of(300, 100);
  pd::block_buffer root(1);
  live.era_array_root = maker.writer().append(pd::node_block, root.block(0));
  live = maker.finish(live);
  pd::test::put_internal(device, live.era_array_root, {{0, left}, {500, right}});
  era::live_metadata metadata(device, 128);
  EXPECT_THROW(metadata.resize(20), base::data_error);
}

}  // namespace
