// Holds a space map against the references that were counted (doc/format.md 6 and 7.1). Not thread
// safe.
#pragma once

#include "persistent-data/btree_walk.h"
#include "persistent-data/space_map.h"

namespace pd {

// The map covers more blocks than there are: the device was cut off since, or is an incomplete
// copy. `usable` is what metadata can use of the device.
std::optional<damage> blocks_missing(const space_map_root& root, block_nr usable);

// Counts the map's own blocks into `context.counts` (which must be set, and hold the references of
// everything else), then compares the map with it and reports every difference. Where
// `counts_complete` is false, because a tree could not be read in full, no block is called a leak.
void check_space_map(walk_context& context, const space_map_root& root, bool counts_complete,
                     damage_sink& sink);

}  // namespace pd
