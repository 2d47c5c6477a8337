#include "persistent-data/sizes.h"

#include <algorithm>

#include "persistent-data/btree_node.h"
#include "persistent-data/space_map.h"

namespace pd {

std::uint64_t nodes_of_tree(std::uint64_t entries, std::uint32_t value_size) {
  std::uint64_t nodes = 0;
  std::uint64_t level =
      std::max<std::uint64_t>(1, base::ceil_div(entries, node_capacity(value_size)));
  for (;; level = base::ceil_div(level, node_capacity(8))) {
    nodes += level;
    if (level == 1) {
      return nodes;
    }
  }
}

std::uint64_t blocks_of_array(const array_root& shape) {
  return shape.nr_array_blocks() + nodes_of_tree(shape.nr_array_blocks(), 8);
}

std::uint64_t blocks_with_space_map(std::uint64_t blocks) {
  std::uint64_t size = blocks + 2;
  while (size < blocks + 2 + base::ceil_div(size, counts_per_bitmap)) {
    size = blocks + 2 + base::ceil_div(size, counts_per_bitmap);
  }
  return size;
}

}  // namespace pd
