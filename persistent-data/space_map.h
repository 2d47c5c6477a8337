// The metadata space map in its bytes: a reference count for every metadata block, two bits each in
// bitmaps, the larger ones in a btree (doc/format.md 6). space_map_check.h reads a map and holds it
// against counted references, space_map_builder.h makes one. Thread safe: no state.
#pragma once

#include <cstdint>

#include "persistent-data/block.h"

namespace pd {

inline constexpr std::size_t space_map_root_size = 32;  // bytes used in the superblock
inline constexpr std::uint32_t counts_per_bitmap = 16320;
inline constexpr std::uint32_t counts_per_word = 32;
inline constexpr std::uint32_t index_entries = 255;
inline constexpr std::uint32_t large_count_size = 4;  // bytes, of a count in the count tree

struct space_map_root {
  std::uint64_t nr_blocks = 0;
  std::uint64_t nr_allocated = 0;
  block_nr bitmap_root = no_block;
  block_nr ref_count_root = no_block;
};

space_map_root decode_space_map_root(const std::byte* from);
void encode_space_map_root(const space_map_root& root, std::byte* to);

// One entry of the index block; the i-th, below index_entries, covers the blocks from
// i × counts_per_bitmap on.
struct index_entry {
  block_nr bitmap = no_block;
  std::uint32_t nr_free = 0;
  std::uint32_t none_free_before = 0;
};

index_entry decode_index_entry(const std::byte* index, std::size_t i);
void encode_index_entry(const index_entry& entry, std::size_t i, std::byte* index);

// A count in a bitmap block, 0 to 3, where 3 means "see the count tree"; `entry` is below
// counts_per_bitmap.
std::uint32_t bitmap_count(const std::byte* bitmap, std::uint32_t entry);
void set_bitmap_count(std::byte* bitmap, std::uint32_t entry, std::uint32_t count);

// Word i of a bitmap block, with the counts of the entries from i × counts_per_word on; a pair of
// zero bits is a free block.
std::uint64_t bitmap_word(const std::byte* bitmap, std::uint32_t i);

}  // namespace pd
