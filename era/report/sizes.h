// How large the metadata of an era device has to be (doc/format.md 3 to 7 and 9): to be restored,
// and to take all that a device in use may do to it. Thread safe: no state.
#pragma once

#include <cstdint>
#include <optional>

#include "persistent-data/block.h"

namespace era {

// What the metadata is to have room for.
struct metadata_demand {
  std::uint64_t nr_blocks = 0;   // data blocks of the device, at most max_data_blocks
  std::uint64_t writesets = 16;  // archived and not yet digested, at a time
  bool snapshot = false;         // a metadata snapshot is held
};

// Metadata blocks. A size above pd::max_metadata_blocks can't be had: larger blocks of data are
// needed then. No result wraps around.
struct metadata_sizes {
  // era_restore needs so many, to write these writesets, each of the whole device, and the era
  // array.
  pd::block_nr to_restore = 0;

  // A device in use may need so many: every data block written in every era, all of the archived
  // eras digested between two commits, and, with a snapshot, as many held by it, with their era
  // array.
  pd::block_nr in_use = 0;

  // What to make: in_use, an eighth of it for trees that are less than full, and up to the next
  // 1 MiB.
  pd::block_nr recommended = 0;
};

metadata_sizes sizes_of(const metadata_demand& demand);

// Bytes of memory that the kernel's target takes: a bit for each data block, twice. The few blocks
// of metadata that it keeps beside them are not counted.
std::uint64_t kernel_memory(std::uint64_t nr_blocks);

// The most writesets for which `in_use` of a device of so many data blocks is within so many
// metadata blocks; nothing if not even 0 of them fit.
std::optional<std::uint64_t> writesets_within(pd::block_nr metadata_blocks, std::uint64_t nr_blocks,
                                              bool snapshot);

}  // namespace era
