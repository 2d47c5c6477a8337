#include "cache/superblock.h"

#include <string>

#include "base/bytes.h"
#include "base/error.h"
#include "cache/mapping.h"

namespace cache {
namespace {

using base::get_le32;
using base::get_le64;
using base::put_le32;
using base::put_le64;

[[noreturn]] void refuse(const std::string& file, const std::string& what) {
  throw base::data_error(file + ": block 0 (superblock): " + what);
}

void check_identity(const superblock& s, const std::string& file) {
  if (s.location != 0) {
    refuse(file, "it says that it is block " + std::to_string(s.location));
  }
  if (s.magic != superblock_magic) {
    refuse(file,
           "magic is " + std::to_string(s.magic) + ", not " + std::to_string(superblock_magic));
  }
  if (s.version != 1 && s.version != 2) {
    refuse(file, "version is " + std::to_string(s.version) + "; only 1 and 2 are known");
  }
  if (s.incompat_flags != 0) {
    refuse(file, "it has incompatible features that are not known (flags " +
                     std::to_string(s.incompat_flags) + ")");
  }
  constexpr std::uint32_t known = clean_shutdown_flag | needs_check_flag;
  if ((s.flags & ~known) != 0) {
    refuse(file, "unknown flags " + std::to_string(s.flags & ~known));
  }
  if ((s.flags & needs_check_flag) != 0) {
    refuse(file,
           "the kernel found it wanting and set needs_check\n"
           "Look at it with cache_check, and repair it with cache_repair.");
  }
}

void check_geometry(const superblock& s, const std::string& file) {
  if (s.metadata_block_size != metadata_block_sectors) {
    refuse(file, "metadata block size is " + std::to_string(s.metadata_block_size) +
                     " sectors, not " + std::to_string(metadata_block_sectors));
  }
  if (s.data_block_size == 0 || s.data_block_size % block_size_unit != 0) {
    refuse(file, "data block size is " + std::to_string(s.data_block_size) +
                     " sectors, not a positive multiple of " + std::to_string(block_size_unit));
  }
  if (s.nr_cache_blocks > max_cache_blocks) {
    refuse(file, std::to_string(s.nr_cache_blocks) + " cache blocks, more than metadata can map");
  }
}

}  // namespace

superblock decode_superblock(const std::byte* block) {
  superblock s;
  s.flags = get_le32(block + 4);
  s.location = get_le64(block + 8);
  s.magic = get_le64(block + 32);
  s.version = get_le32(block + 40);
  s.mapping_root = get_le64(block + 192);
  s.data_block_size = get_le32(block + 232);
  s.metadata_block_size = get_le32(block + 236);
  s.nr_cache_blocks = get_le32(block + 240);
  s.incompat_flags = get_le32(block + 252);
  s.dirty_root = get_le64(block + 284);
  return s;
}

void encode_superblock(const superblock& from, std::byte* block) {
  put_le32(block + 4, from.flags);
  put_le64(block + 8, from.location);
  put_le64(block + 32, from.magic);
  put_le32(block + 40, from.version);
  put_le64(block + 192, from.mapping_root);
  put_le32(block + 232, from.data_block_size);
  put_le32(block + 236, from.metadata_block_size);
  put_le32(block + 240, from.nr_cache_blocks);
  put_le32(block + 252, from.incompat_flags);
  put_le64(block + 284, from.dirty_root);
}

bool has_sound_checksum(const std::byte* block) {
  return pd::has_sound_checksum(superblock_block, block);
}

superblock read_superblock(pd::block_device& device) {
  if (device.nr_blocks() == 0) {
    throw base::data_error(device.name() + ": too small for a superblock");
  }
  pd::block_buffer buffer(1);
  if (const int error = pd::read_block(device, 0, buffer.block(0))) {
    throw base::io_error(base::system_message(device.name(), error));
  }
  if (!has_sound_checksum(buffer.block(0))) {
    refuse(device.name(), "bad checksum in superblock");
  }
  const superblock s = decode_superblock(buffer.block(0));
  check_identity(s, device.name());
  check_geometry(s, device.name());
  return s;
}

}  // namespace cache
