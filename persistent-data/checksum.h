// The head that every metadata block has: a checksum, whose constant says the type of block, and
// the block's own number (doc/format.md 1.1). Thread safe: no state.
#pragma once

#include <cstdint>

#include "persistent-data/block.h"

namespace pd {

struct block_type {
  std::uint32_t salt;     // K of the format
  std::size_t number_at;  // byte offset of the block's own number
  const char* name;       // "btree node"
};

inline constexpr block_type node_block{121107, 8, "btree node"};
inline constexpr block_type array_block{595846735, 16, "array block"};
inline constexpr block_type index_block{160478, 8, "space map index"};
inline constexpr block_type bitmap_block{240779, 8, "space map bitmap"};

// R of the format: CRC-32C of bytes 4 to 4095 without the final inversion. R xor the stored sum is
// the salt of the type that the block has.
std::uint32_t body_crc(const std::byte* block);

// The same without ISA-L: body_crc in builds that lack it, and here for the tests.
std::uint32_t body_crc_by_boost(const std::byte* block);

std::uint32_t stored_checksum(const std::byte* block);
block_nr stored_number(const block_type& type, const std::byte* block);

// Whether the stored sum is that of a block of this type.
bool has_sound_checksum(const block_type& type, const std::byte* block);

// Puts number and checksum into a block that is otherwise finished.
void seal_block(const block_type& type, block_nr number, std::byte* block);

}  // namespace pd
