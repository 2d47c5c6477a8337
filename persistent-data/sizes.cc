#include "persistent-data/sizes.h"

#include <algorithm>

#include "base/bytes.h"
#include "persistent-data/array.h"
#include "persistent-data/btree_node.h"
#include "persistent-data/space_map.h"

namespace pd {
namespace {

// An index, and a count tree without entries.
constexpr block_nr map_blocks_but_bitmaps = 2;

// Saturates. Trees and arrays need no such care: they have fewer blocks than values.
block_nr sum(block_nr a, block_nr b) {
  return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

}  // namespace

block_nr tree_blocks(std::uint64_t nr_values, std::uint32_t value_size) {
  block_nr level = std::max<block_nr>(1, base::ceil_div(nr_values, node_capacity(value_size)));
  block_nr all = level;
  while (level > 1) {
    level = base::ceil_div(level, node_capacity(block_nr_size));
    all += level;
  }
  return all;
}

block_nr array_blocks(std::uint64_t nr_elements, std::uint32_t value_size) {
  const block_nr blocks = base::ceil_div(nr_elements, array_capacity(value_size));
  return blocks + tree_blocks(blocks, block_nr_size);
}

block_nr bitset_blocks(std::uint64_t nr_bits) {
  return array_blocks(base::ceil_div(nr_bits, bits_per_word), word_size);
}

block_nr device_blocks(block_nr used) {
  const block_nr without_bitmaps = sum(used, map_blocks_but_bitmaps);
  block_nr size = without_bitmaps;
  // Bitmaps are counted in bitmaps themselves: each round adds those for the ones before.
  for (;;) {
    const block_nr needed = sum(without_bitmaps, base::ceil_div(size, counts_per_bitmap));
    if (needed == size) {
      return size;
    }
    size = needed;
  }
}

}  // namespace pd
