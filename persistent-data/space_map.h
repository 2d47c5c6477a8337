// The metadata space map: a reference count for every metadata block (doc/format.md 6). Here are
// its root, its check against counted references, and its making in bulk. Not thread safe.
#pragma once

#include <cstdint>
#include <span>

#include "persistent-data/btree_walk.h"
#include "persistent-data/bulk_writer.h"

namespace pd {

inline constexpr std::size_t space_map_root_size = 32;  // bytes used in the superblock
inline constexpr std::uint32_t counts_per_bitmap = 16320;
inline constexpr std::uint32_t index_entries = 255;

struct space_map_root {
  std::uint64_t nr_blocks = 0;
  std::uint64_t nr_allocated = 0;
  block_nr bitmap_root = no_block;
  block_nr ref_count_root = no_block;
};

space_map_root decode_space_map_root(const std::byte* from);
void encode_space_map_root(const space_map_root& root, std::byte* to);

// Counts the map's own blocks into `context.counts` (which must be set, and hold the references of
// everything else), then compares the map with it and reports every difference. Where
// `counts_complete` is false, because a tree could not be read in full, no block is called a leak.
void check_space_map(walk_context& context, const space_map_root& root, bool counts_complete,
                     damage_sink& sink);

// Writes a map for the whole of the writer's device: the blocks appended so far have the counts
// given, from block 0 on, and the map's own blocks, appended here, count 1. The free counts follow
// the kernel's convention.
space_map_root write_space_map(bulk_writer& writer, std::span<const std::uint32_t> counts);

}  // namespace pd
