// The superblock, block 0, and its copy that a metadata snapshot keeps (doc/format.md 2 and 7).
// Decoding trusts nothing; check_superblock() says what is wrong with it. Thread safe: no state.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "era/format/problems.h"
#include "persistent-data/checksum.h"
#include "persistent-data/space_map.h"

namespace era {

using pd::block_nr;

inline constexpr pd::block_type superblock_block{146538381, 8, "era superblock"};
inline constexpr std::uint64_t superblock_magic = 2126579579;
inline constexpr std::uint32_t superblock_version = 1;
inline constexpr std::uint32_t metadata_block_sectors = 8;
inline constexpr std::uint64_t sector_bytes = 512;
inline constexpr std::uint64_t max_data_blocks = (std::uint64_t{1} << 31) - 1;

struct superblock {
  std::uint32_t flags = 0;
  block_nr location = 0;
  std::uint64_t magic = superblock_magic;
  std::uint32_t version = superblock_version;
  pd::space_map_root space_map;
  std::uint32_t data_block_size = 0;  // sectors
  std::uint32_t metadata_block_size = metadata_block_sectors;
  std::uint32_t nr_blocks = 0;  // data blocks
  std::uint32_t current_era = 0;
  std::uint32_t current_nr_bits = 0;     // means nothing where the root is 0
  block_nr current_root = pd::no_block;  // bitset of the open era; 0: none is open
  block_nr writeset_tree_root = pd::no_block;
  block_nr era_array_root = pd::no_block;
  block_nr metadata_snap = pd::no_block;  // block of the snapshot's copy; 0: none

  bool current_open() const { return current_root != pd::no_block; }
};

// Whether a data block can be of so many sectors: a positive multiple of 8.
constexpr bool is_data_block_size(std::uint64_t sectors) {
  return sectors > 0 && sectors % 8 == 0;
}

// Whether the bytes of so many data blocks, of so many sectors each, can be counted in 64 bits.
bool fits_a_device(std::uint64_t block_size, std::uint64_t nr_blocks);

superblock decode_superblock(const std::byte* block);

// Fills a zeroed block, all but its checksum; seal_block() does the rest.
void encode_superblock(const superblock& from, std::byte* block);

// Whether the block was sealed as an era superblock and is unchanged since.
bool has_sound_checksum(const std::byte* block);

// Reports all that is wrong with a superblock read from block `where`: 0, or a snapshot's. True if
// the trees that it names can be looked at. `content` is what the device holds besides, if that is
// known (pd::block_device::content()).
bool check_superblock(const std::byte* block, place at, block_nr where, problem_sink& sink,
                      const std::string& content = "");

// What a device with this block 0 and this content holds that is no era metadata in any state, not
// even damaged or half restored: "an ext4 file system". Empty if it does not look like anything.
std::string foreign_content(const std::byte* block, const std::string& content);

// What a block 0 with a wrong checksum seems to be, and what to do: "all bytes are zero: …".
std::string describe_foreign_superblock(const std::byte* block, const std::string& content);

// What era_restore puts at the beginning of block 0 while it is at work: neither zero, which the
// kernel would format, nor valid.
inline constexpr std::string_view restore_mark =
    "era_restore was here and did not finish: this is no valid metadata, restore it again\n";

}  // namespace era
