// Reads the mappings of a cache from its metadata (doc/format.md 12). Kept are one bit a cache
// block, where the metadata has dirty bits of their own, and the numbers of the array blocks.
// Nothing is taken from a block that was not found sound. Not thread safe.
#pragma once

#include "cache/mapping.h"
#include "persistent-data/block_device.h"

namespace cache {

// Says all mappings to the sink, as they lie on the device. Which of them are dirty is only known
// of a cache that was shut down cleanly. Throws base::data_error, "FILE: block N (mapping array):
// reason", for whatever is damaged or makes no sense, and where the device was written to
// meanwhile; base::io_error where block 0 can't be read; and what the sink throws. The sink may
// have heard a part by then.
void read_mappings(pd::block_device& device, mapping_sink& sink);

}  // namespace cache
