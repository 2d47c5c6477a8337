// How many blocks structures need that are built in bulk, known before the first is written: what
// btree_builder, array_builder and write_space_map append. No result wraps around: one that does
// not fit is UINT64_MAX, which no device has. Thread safe: no state.
#pragma once

#include <cstdint>

#include "persistent-data/block.h"

namespace pd {

// The nodes of a tree with so many values; at least three of them must fit into a node.
block_nr tree_blocks(std::uint64_t nr_values, std::uint32_t value_size);

// The blocks of an array and the nodes of the tree that names them.
block_nr array_blocks(std::uint64_t nr_elements, std::uint32_t value_size);

// The same for a bitset.
block_nr bitset_blocks(std::uint64_t nr_bits);

// The smallest device that holds `used` blocks, the superblock among them, each referenced at most
// twice, and a space map of all the device. Above max_metadata_blocks no device does: a larger one
// is used up to there.
block_nr device_blocks(block_nr used);

}  // namespace pd
