// Writes metadata with made-up contents straight through the builder of the library, in bounded
// memory. Not thread safe.
#pragma once

#include "benchmarks/contents.h"
#include "persistent-data/block_device.h"

namespace bench {

// A device of this many blocks has room for the contents; hardly any is left over.
pd::block_nr blocks_needed(const contents& what);

// How many blocks, from 0 on, write_image() writes to a device of this size: it goes through the
// motions.
pd::block_nr blocks_used(const contents& what, pd::block_nr device_size);

// As a restore leaves them: each array in one stretch. Throws
// base::io_error, also where the device is too small.
void write_image(pd::block_device& device, const contents& what);

}  // namespace bench
