// The superblock of dm-cache metadata, block 0 (doc/format.md 12.1). Decoding trusts nothing;
// read_superblock() refuses whatever is wrong. Thread safe: no state.
#pragma once

#include <cstdint>

#include "persistent-data/block_device.h"
#include "persistent-data/checksum.h"

namespace cache {

using pd::block_nr;

inline constexpr pd::block_type superblock_block{9031977, 8, "cache superblock"};
inline constexpr std::uint64_t superblock_magic = 1623043;
inline constexpr std::uint32_t metadata_block_sectors = 8;

// Bits of the flags.
inline constexpr std::uint32_t clean_shutdown_flag = 1;
inline constexpr std::uint32_t needs_check_flag = 2;

struct superblock {
  std::uint32_t flags = 0;
  block_nr location = 0;
  std::uint64_t magic = superblock_magic;
  std::uint32_t version = 2;
  block_nr mapping_root = pd::no_block;
  std::uint32_t data_block_size = 0;  // sectors
  std::uint32_t metadata_block_size = metadata_block_sectors;
  std::uint32_t nr_cache_blocks = 0;
  std::uint32_t incompat_flags = 0;
  block_nr dirty_root = pd::no_block;  // of version 2

  // Whether the dirty flags are those of the last moment: they are written when a cache is taken
  // down, and are old while it is in use.
  bool was_shut_down_cleanly() const { return (flags & clean_shutdown_flag) != 0; }
};

superblock decode_superblock(const std::byte* block);

// Fills a zeroed block, all but its checksum; pd::seal_block() does the rest.
void encode_superblock(const superblock& from, std::byte* block);

// Whether the block was sealed as a cache superblock and is unchanged since.
bool has_sound_checksum(const std::byte* block);

// Reads block 0 and holds it against all that is known of superblocks. Throws base::io_error where
// it can't be read, and base::data_error, "FILE: block 0 (superblock): reason".
superblock read_superblock(pd::block_device& device);

}  // namespace cache
