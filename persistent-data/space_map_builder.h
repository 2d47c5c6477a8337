// Makes a space map in bulk (doc/format.md 6). Not thread safe.
#pragma once

#include <span>

#include "persistent-data/bulk_writer.h"
#include "persistent-data/space_map.h"

namespace pd {

// Writes a map for the whole of the writer's device: the blocks appended so far have the counts
// given, from block 0 on, and the map's own blocks, appended here, count 1. The free counts follow
// the kernel's convention.
space_map_root write_space_map(bulk_writer& writer, std::span<const std::uint32_t> counts);

}  // namespace pd
