// Metadata for a bug report: the blocks of it that are in use, packed. Not thread safe.
#pragma once

#include "base/progress.h"
#include "era/read/metadata.h"
#include "persistent-data/packed_blocks.h"

namespace era {

// Packs every block that a check of this state reads, so that a check of what is unpacked finds the
// same; of the live state also those that the space map counts as in use. Where the superblock or
// the space map can't be used, all that is not zero goes in: nobody knows what is in use. Damage is
// packed as it is. Throws base::io_error where the output fails or the device as a whole does, and
// base::data_error where a snapshot is asked for and none is held.
void pack_metadata(pd::block_device& device, metadata_state which, base::output& out,
                   base::progress& progress);

}  // namespace era
