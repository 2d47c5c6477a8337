// What data blocks are in sectors and bytes. Thread safe: no state that changes.
#pragma once

#include <cstdint>

#include "era/format/superblock.h"

namespace era {

struct geometry {
  std::uint32_t block_size = 0;  // sectors
  std::uint32_t nr_blocks = 0;

  std::uint64_t block_bytes() const { return block_size * sector_bytes; }
  std::uint64_t bytes_of(std::uint64_t blocks) const { return blocks * block_bytes(); }
};

}  // namespace era
