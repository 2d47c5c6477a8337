#include "persistent-data/checksum.h"

#include <gtest/gtest.h>

#include "base/bytes.h"

namespace {

using base::put_le32;
using base::put_le64;
using pd::block_type;

// The superblock's type belongs to the layer above.
constexpr block_type superblock_block{146538381, 8, "superblock"};

std::uint32_t sealed(const block_type& type, pd::block_nr where, std::byte* block) {
  pd::seal_block(type, where, block);
  EXPECT_EQ(pd::stored_number(type, block), where);
  EXPECT_EQ(pd::body_crc(block) ^ pd::stored_checksum(block), type.salt);
  EXPECT_EQ(pd::body_crc_by_boost(block) ^ pd::stored_checksum(block), type.salt);
  return pd::stored_checksum(block);
}

TEST(checksum, of_zero_blocks_is_as_the_format_says) {
  pd::block_buffer zeros(1);
  EXPECT_EQ(pd::body_crc(zeros.block(0)), 0x58CDA791U);
  EXPECT_EQ(pd::body_crc_by_boost(zeros.block(0)), 0x58CDA791U);
  EXPECT_EQ(sealed(superblock_block, 0, zeros.block(0)), 0x5076581CU);
  EXPECT_EQ(sealed(pd::node_block, 0, zeros.block(0)), 0x58CC7E82U);
  EXPECT_EQ(sealed(pd::array_block, 0, zeros.block(0)), 0x7B4E41DEU);
  EXPECT_EQ(sealed(pd::index_block, 0, zeros.block(0)), 0x58CFD54FU);
  EXPECT_EQ(sealed(pd::bitmap_block, 0, zeros.block(0)), 0x58CE0B1AU);
}

TEST(checksum, covers_every_byte_but_its_own) {
  pd::block_buffer block(1);
  const std::uint32_t before = pd::body_crc(block.block(0));
  for (std::size_t at = 0; at < pd::block_size; ++at) {
    block.block(0)[at] = std::byte{1};
    EXPECT_EQ(pd::body_crc(block.block(0)) == before, at < 4) << at;
    block.block(0)[at] = std::byte{0};
  }
}

// The complete small image of doc/format.md 11, byte by byte.
class small_image {
 public:
  small_image() : blocks_(11) {
    std::byte* const super = block(0);
    put_le64(super + 32, 2126579579);
    put_le32(super + 40, 1);
    put_le64(super + 44, 256);
    put_le64(super + 52, 11);
    put_le64(super + 60, 1);
    put_le64(super + 68, 2);
    put_le32(super + 172, 128);
    put_le32(super + 176, 8);
    put_le32(super + 180, 10);
    put_le32(super + 184, 5);
    put_le64(super + 200, 4);
    put_le64(super + 208, 5);

    put_le64(block(1) + 16, 3);
    put_le32(block(1) + 24, 245);
    put_le32(block(1) + 28, 11);
    put_le64(block(3) + 16, 0x2AAAAA);

    leaf(2, 0, 336, 4);
    leaf(4, 2, 201, 12);
    writeset(0, 4, 7);
    writeset(1, 5, 9);
    array_root(5, 6);
    array_root(7, 8);
    array_root(9, 10);

    const std::uint32_t eras[] = {0, 3, 3, 1, 0, 2, 0, 0, 3, 0};
    array(6, 1018, 10, 4);
    for (std::size_t i = 0; i < 10; ++i) {
      put_le32(block(6) + 24 + 4 * i, eras[i]);
    }
    array(8, 509, 1, 8);
    put_le64(block(8) + 24, 0x206);
    array(10, 509, 1, 8);
    put_le64(block(10) + 24, 0xE4);
  }

  std::byte* block(std::size_t i) { return blocks_.block(i); }

 private:
  void leaf(std::size_t where, std::uint32_t nr, std::uint32_t max, std::uint32_t value_size) {
    put_le32(block(where) + 4, 2);
    put_le32(block(where) + 16, nr);
    put_le32(block(where) + 20, max);
    put_le32(block(where) + 24, value_size);
  }

  void writeset(std::size_t i, std::uint64_t era, std::uint64_t root) {
    put_le64(block(4) + 32 + 8 * i, era);
    put_le32(block(4) + 1640 + 12 * i, 10);
    put_le64(block(4) + 1640 + 12 * i + 4, root);
  }

  void array_root(std::size_t where, std::uint64_t child) {
    leaf(where, 1, 252, 8);
    put_le64(block(where) + 2048, child);
  }

  void array(std::size_t where, std::uint32_t max, std::uint32_t nr, std::uint32_t value_size) {
    put_le32(block(where) + 4, max);
    put_le32(block(where) + 8, nr);
    put_le32(block(where) + 12, value_size);
  }

  pd::block_buffer blocks_;
};

TEST(checksum, of_a_complete_image_is_as_the_format_says) {
  small_image image;
  struct {
    const block_type& type;
    std::uint32_t sum;
  } const blocks[] = {
      {superblock_block, 0xD1B92FA4}, {pd::index_block, 0x9AEA0317}, {pd::node_block, 0xC360E452},
      {pd::bitmap_block, 0x35524EBB}, {pd::node_block, 0x84A28350},  {pd::node_block, 0x88EC92B4},
      {pd::array_block, 0x9EAD63A4},  {pd::node_block, 0x13CE48A6},  {pd::array_block, 0x0CDCC057},
      {pd::node_block, 0xF8D00702},   {pd::array_block, 0xE38A3E3E}};
  for (std::size_t i = 0; i < std::size(blocks); ++i) {
    EXPECT_EQ(sealed(blocks[i].type, i, image.block(i)), blocks[i].sum) << "block " << i;
  }
}

}  // namespace
