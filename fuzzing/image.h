// Metadata as the bytes that a fuzz target takes: the length of the device, then pieces of blocks
// that are not zero. All numbers are little endian.
//
//     u32 blocks on the device
//     u8 kind, u32 block, u16 offset, u16 size, `size` bytes
//     ...
//
// The kind says how the block is sealed when the device is made: a block of the kind "node" gets
// its number and the checksum of a btree node, and its bytes need not hold them. One of the kind
// "raw" stays as it is, with whatever checksum it has. So any change of the bytes gives metadata
// that readers look into. The last piece of a block decides its kind. All bytes mean something:
// what is out of range is taken modulo the range, or left out. Thread safe: no state.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "fuzzing/sparse_device.h"
#include "persistent-data/checksum.h"

namespace fuzz {

enum class block_kind : std::uint8_t { raw, superblock, node, array, index, bitmap };
inline constexpr std::uint8_t nr_block_kinds = 6;

// No image is of a longer device: more than two bitmaps, and little enough memory.
inline constexpr std::uint32_t most_blocks = 40000;

struct image_block {
  block_kind kind = block_kind::raw;
  block_bytes bytes{};
};

struct image {
  std::uint32_t nr_blocks = 1;
  std::map<std::uint32_t, image_block> blocks;  // maybe beyond nr_blocks: then not on the device
};

// What a sealed block is sealed as.
const pd::block_type& type_of(block_kind kind);

image decode_image(std::span<const std::uint8_t> from);
std::vector<std::uint8_t> encode_image(const image& from);

sparse_device device_of(const image& from);

// Of a device with sound metadata, with the blocks that are in use.
image image_of(sparse_device& device);

// Of a device with other metadata, with all blocks that were written.
image image_of_written(const sparse_device& device);

}  // namespace fuzz
