// Puts packed metadata back onto a device, each block at its place, in the order of a restore: the
// mark into block 0, flush; all else, flush; block 0, flush. Not thread safe.
#pragma once

#include "base/progress.h"
#include "persistent-data/packed_blocks.h"

namespace era {

// Blocks that were not packed are left as they are. Those that could not be read say so, in text,
// and are damage there too. Throws base::io_error where the device has fewer blocks than the one
// that was packed, or fails.
void write_unpacked(const pd::unpacked_blocks& from, pd::block_device& to,
                    base::progress& progress);

}  // namespace era
