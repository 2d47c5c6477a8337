#include "era/format/superblock.h"

#include <algorithm>
#include <cstring>
#include <functional>

#include "base/bytes.h"

namespace era {
namespace {

using base::get_le32;
using base::get_le64;
using base::put_le32;
using base::put_le64;

constexpr std::size_t space_map_at = 44;
constexpr std::size_t fields_end = 224;

// Checksum constants of the superblocks of related targets, to name a device that was mixed up.
constexpr std::uint32_t thin_superblock_salt = 160774;
constexpr std::uint32_t cache_superblock_salt = 9031977;

bool all_zero(const std::byte* from, const std::byte* end) {
  return std::all_of(from, end, [](std::byte b) { return b == std::byte{0}; });
}

void check_geometry(const superblock& s,
                    const std::function<void(problem_code, const std::string&)>& report) {
  const std::string size = "data block size is " + std::to_string(s.data_block_size) + " sectors";
  if (!is_data_block_size(s.data_block_size)) {
    report(problem_code::superblock_block_size, size + ", not a positive multiple of 8");
  } else if (!fits_a_device(s.data_block_size, s.nr_blocks)) {
    report(problem_code::superblock_block_size,
           size + ", so that " + std::to_string(s.nr_blocks) +
               " data blocks are more bytes than a device can have");
  }
  if (s.nr_blocks == 0 && (s.current_era > 0 || s.current_open())) {
    report(problem_code::superblock_nr_blocks,
           "no data blocks, but the current era is " + std::to_string(s.current_era) +
               ": before its first era a device has its length");
  }
}

bool has_magic(const std::byte* block) {
  return get_le64(block + 32) == superblock_magic;
}

bool has_restore_mark(const std::byte* block) {
  return std::memcmp(block, restore_mark.data(), restore_mark.size()) == 0;
}

}  // namespace

bool fits_a_device(std::uint64_t block_size, std::uint64_t nr_blocks) {
  return nr_blocks == 0 || block_size <= UINT64_MAX / sector_bytes / nr_blocks;
}

superblock decode_superblock(const std::byte* block) {
  superblock s;
  s.flags = get_le32(block + 4);
  s.location = get_le64(block + 8);
  s.magic = get_le64(block + 32);
  s.version = get_le32(block + 40);
  s.space_map = pd::decode_space_map_root(block + space_map_at);
  s.data_block_size = get_le32(block + 172);
  s.metadata_block_size = get_le32(block + 176);
  s.nr_blocks = get_le32(block + 180);
  s.current_era = get_le32(block + 184);
  s.current_nr_bits = get_le32(block + 188);
  s.current_root = get_le64(block + 192);
  s.writeset_tree_root = get_le64(block + 200);
  s.era_array_root = get_le64(block + 208);
  s.metadata_snap = get_le64(block + 216);
  return s;
}

void encode_superblock(const superblock& from, std::byte* block) {
  put_le32(block + 4, from.flags);
  put_le64(block + 8, from.location);
  put_le64(block + 32, from.magic);
  put_le32(block + 40, from.version);
  pd::encode_space_map_root(from.space_map, block + space_map_at);
  put_le32(block + 172, from.data_block_size);
  put_le32(block + 176, from.metadata_block_size);
  put_le32(block + 180, from.nr_blocks);
  put_le32(block + 184, from.current_era);
  put_le32(block + 188, from.current_nr_bits);
  put_le64(block + 192, from.current_root);
  put_le64(block + 200, from.writeset_tree_root);
  put_le64(block + 208, from.era_array_root);
  put_le64(block + 216, from.metadata_snap);
}

bool has_sound_checksum(const std::byte* block) {
  return pd::has_sound_checksum(superblock_block, block);
}

bool check_superblock(const std::byte* block, place at, block_nr where, problem_sink& sink,
                      const std::string& content) {
  const auto report = [&](problem_code code, const std::string& what) {
    sink.found({code, at, where, what});
  };
  if (!has_sound_checksum(block)) {
    problem bad{problem_code::superblock_checksum, at, where, "bad checksum in superblock"};
    if (where == 0) {
      bad.what += ": " + describe_foreign_superblock(block, content);
      bad.is_foreign = !foreign_content(block, content).empty();
    }
    sink.found(bad);
    return false;
  }
  const superblock s = decode_superblock(block);
  bool usable = true;
  const auto fatal = [&](problem_code code, const std::string& what) {
    report(code, what);
    usable = false;
  };
  if (s.location != where) {
    fatal(problem_code::superblock_number,
          "the superblock says that it is block " + std::to_string(s.location));
  }
  if (s.magic != superblock_magic) {
    fatal(problem_code::superblock_magic,
          "magic is " + std::to_string(s.magic) + ", not " + std::to_string(superblock_magic));
  }
  if (s.version != superblock_version) {
    fatal(problem_code::superblock_version,
          "version is " + std::to_string(s.version) + "; only 1 is known");
  }
  if (s.nr_blocks > max_data_blocks) {
    fatal(problem_code::superblock_nr_blocks,
          std::to_string(s.nr_blocks) + " data blocks, more than a device can have");
  }
  if (s.metadata_block_size != metadata_block_sectors) {
    fatal(problem_code::superblock_metadata_block_size,
          "metadata block size is " + std::to_string(s.metadata_block_size) + " sectors, not 8");
  }
  if (s.writeset_tree_root == pd::no_block || s.era_array_root == pd::no_block ||
      s.writeset_tree_root == s.era_array_root) {
    fatal(problem_code::superblock_roots,
          "the writeset tree's root is block " + std::to_string(s.writeset_tree_root) +
              ", the era array's block " + std::to_string(s.era_array_root));
  }
  check_geometry(s, report);
  if ((s.flags & ~std::uint32_t{1}) != 0) {
    report(problem_code::superblock_flags, "unknown flags " + std::to_string(s.flags));
  }
  if (!all_zero(block + space_map_at + pd::space_map_root_size, block + 172) ||
      !all_zero(block + fields_end, block + pd::block_size)) {
    report(problem_code::superblock_reserved, "bytes that have no meaning are not zero");
  }
  return usable;
}

std::string foreign_content(const std::byte* block, const std::string& content) {
  switch (pd::body_crc(block) ^ pd::stored_checksum(block)) {
    case superblock_block.salt:
      return "";
    case thin_superblock_salt:
      return "the metadata of a thin pool";
    case cache_superblock_salt:
      return "the metadata of a cache device";
    default:
      return has_magic(block) || has_restore_mark(block) ? "" : content;
  }
}

std::string describe_foreign_superblock(const std::byte* block, const std::string& content) {
  const std::string foreign = foreign_content(block, content);
  if (!foreign.empty()) {
    return "this looks like " + foreign + ", not era metadata";
  }
  if (has_restore_mark(block)) {
    return "an interrupted era_restore or era_repair left its mark here; start it again";
  }
  if (all_zero(block, block + pd::block_size)) {
    return "all bytes are zero, so it was never formatted or restored";
  }
  return has_magic(block) ? "the magic number of era metadata is there, so it is damaged"
                          : "the magic number of era metadata is not there either";
}

}  // namespace era
