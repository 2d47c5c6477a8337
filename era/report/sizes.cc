// Between two commits nothing that the last one needs may be used anew. So at the worst moment
// there are three states side by side: what the snapshot holds, the last commit, and what is being
// made of it; each with an era array of its own where digestion has rewritten all of it. The
// archived writesets of the last commit stay until the next one, though all were digested, and the
// current one has been rewritten by the first writes of its era.
#include "era/report/sizes.h"

#include <algorithm>

#include "base/bytes.h"
#include "era/format/era_array.h"
#include "era/format/writeset.h"
#include "persistent-data/array.h"
#include "persistent-data/btree_node.h"
#include "persistent-data/sizes.h"
#include "persistent-data/space_map.h"

namespace era {
namespace {

using pd::block_nr;

constexpr block_nr blocks_of_mib = 1048576 / pd::block_size;

// More than any device has, and far from wrapping around when a few are added.
constexpr block_nr too_many = std::uint64_t{1} << 48;

block_nr bounded(block_nr blocks) {
  return std::min(blocks, too_many);
}

block_nr product(block_nr a, block_nr b) {
  return a != 0 && b > too_many / a ? too_many : a * b;
}

// The nodes of a tree to which keys were added one by one in ascending order: each split leaves
// half a node.
block_nr grown_tree_blocks(std::uint64_t nr_values, std::uint32_t value_size) {
  std::uint32_t capacity = pd::node_capacity(value_size);
  block_nr level = nr_values <= capacity ? 1 : base::ceil_div(nr_values, capacity / 2);
  block_nr all = level;
  while (level > 1) {
    capacity = pd::node_capacity(pd::block_nr_size);
    level = level <= capacity ? 1 : base::ceil_div(level, capacity / 2);
    all += level;
  }
  return all;
}

block_nr grown_array_blocks(std::uint64_t nr_elements, std::uint32_t value_size) {
  const block_nr blocks = base::ceil_div(nr_elements, pd::array_capacity(value_size));
  return blocks + grown_tree_blocks(blocks, pd::block_nr_size);
}

// Of a device of so many blocks: the bitmaps and the index of the last commit and the present ones.
// There is a count tree of one block.
block_nr with_space_maps(block_nr used) {
  block_nr size = used;
  for (;;) {
    const block_nr bitmaps = base::ceil_div(size, pd::counts_per_bitmap);
    const block_nr needed = used + 2 * (bitmaps + 1) + 1;
    if (needed <= size) {
      return size;
    }
    size = needed;
  }
}

block_nr to_restore(const metadata_demand& demand) {
  const block_nr writesets = product(demand.writesets, pd::bitset_blocks(demand.nr_blocks));
  return pd::device_blocks(1 + pd::array_blocks(demand.nr_blocks, era_size) + writesets +
                           pd::tree_blocks(bounded(demand.writesets), writeset_value_size));
}

block_nr in_use(const metadata_demand& demand) {
  const block_nr array = grown_array_blocks(demand.nr_blocks, era_size);
  const block_nr bitset =
      grown_array_blocks(base::ceil_div(demand.nr_blocks, pd::bits_per_word), pd::word_size);
  const block_nr tree = grown_tree_blocks(bounded(demand.writesets), writeset_value_size);
  const block_nr state = array + tree;
  const block_nr archived = product(demand.writesets, bitset);
  const block_nr superblock = 1;
  block_nr used = superblock + 2 * state + archived + 2 * bitset;
  if (demand.snapshot) {
    used += superblock + state + archived;
  }
  return with_space_maps(used);
}

}  // namespace

metadata_sizes sizes_of(const metadata_demand& demand) {
  metadata_sizes sizes;
  sizes.to_restore = to_restore(demand);
  sizes.in_use = std::max(sizes.to_restore, in_use(demand));
  const block_nr roomy = sizes.in_use + base::ceil_div(sizes.in_use, 8);
  sizes.recommended = base::ceil_div(roomy, blocks_of_mib) * blocks_of_mib;
  return sizes;
}

std::uint64_t kernel_memory(std::uint64_t nr_blocks) {
  return 2 * base::ceil_div(nr_blocks, pd::bits_per_word) * pd::word_size;
}

std::optional<std::uint64_t> writesets_within(block_nr metadata_blocks, std::uint64_t nr_blocks,
                                              bool snapshot) {
  const auto fits = [&](std::uint64_t writesets) {
    return sizes_of({nr_blocks, writesets, snapshot}).in_use <= metadata_blocks;
  };
  if (!fits(0)) {
    return std::nullopt;
  }
  // Each writeset takes a block or more, so that as many as there are blocks never fit.
  std::uint64_t most = 0;
  std::uint64_t too_many_of_them = metadata_blocks;
  while (most + 1 < too_many_of_them) {
    const std::uint64_t middle = most + (too_many_of_them - most) / 2;
    (fits(middle) ? most : too_many_of_them) = middle;
  }
  return most;
}

}  // namespace era
