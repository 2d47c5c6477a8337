// What data blocks are in sectors and bytes. Thread safe: no state that changes.
#pragma once

#include <cstdint>
#include <string>

#include "base/error.h"
#include "era/format/superblock.h"

namespace era {

struct geometry {
  geometry() = default;

  // Throws base::data_error if the bytes can't be counted in 64 bits.
  geometry(std::uint32_t sectors_of_a_block, std::uint32_t blocks)
      : block_size(sectors_of_a_block), nr_blocks(blocks) {
    if (!fits_a_device(block_size, nr_blocks)) {
      throw base::data_error(std::to_string(nr_blocks) + " data blocks of " +
                             std::to_string(block_size) +
                             " sectors are more bytes than a device can have");
    }
  }

  std::uint32_t block_size = 0;  // sectors
  std::uint32_t nr_blocks = 0;

  std::uint64_t block_bytes() const { return block_size * sector_bytes; }

  // `blocks` is at most nr_blocks.
  std::uint64_t bytes_of(std::uint64_t blocks) const { return blocks * block_bytes(); }
};

}  // namespace era
