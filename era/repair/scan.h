// Looks at every block of a metadata device for what it shows of the whole when the superblock is
// lost: a block's checksum names its type (doc/format.md 1.1), so those of the metadata's own
// structures are known wherever they lie.
//
// Blocks of earlier transactions stay on the device and look the same, so nothing here says what
// the newest state is: only how long the device was at some time, and which eras there have been.
// Not thread safe.
#pragma once

#include <cstdint>
#include <optional>

#include "base/progress.h"
#include "era/format/superblock.h"
#include "persistent-data/block_device.h"

namespace era {

struct scan_result {
  // A number, and the block that shows it.
  struct clue {
    std::uint32_t value = 0;
    block_nr block = pd::no_block;
  };

  std::uint64_t blocks_read = 0;
  std::uint64_t recognized = 0;  // whole blocks of a known type, in the place they were written for

  // Superblocks elsewhere than in block 0, which metadata snapshots are or were: the one with the
  // latest current era, the longest device, and no more than that.
  std::optional<superblock> newest_copy;

  // The most data blocks that a copy of the superblock, a writeset, or a leaf of an era array
  // speaks of. Where the last block of such an array can't be read, it counts as full.
  std::optional<clue> nr_blocks;

  // The latest era in any of them, or in the blocks of an era array.
  std::optional<clue> latest_era;
};

// Reads all blocks from block 1 on, in order. What can't be read shows nothing. Memory: 20 bytes
// a metadata block, at most.
scan_result scan(pd::block_device& device, base::progress& progress);

}  // namespace era
