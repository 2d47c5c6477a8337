// Lists made of bits, for tests.
#pragma once

#include <vector>

#include "era/list/list_format.h"

namespace era::test {

inline written_blocks blocks_of_bits(const std::vector<bool>& bits) {
  written_blocks blocks(std::vector<std::uint64_t>(base::ceil_div(bits.size(), 64)), bits.size());
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i]) {
      blocks.add({i, i + 1});
    }
  }
  return blocks;
}

inline std::vector<bool> bits_of_list(const written_blocks& blocks) {
  std::vector<bool> bits(blocks.nr_blocks());
  for (std::uint64_t at = 0; (at = blocks.first_from(at)) < bits.size(); ++at) {
    bits[at] = true;
  }
  return bits;
}

// Of a device that ends half a block before its last block of 64 KiB does.
inline styled_list list_of_bits(const std::vector<bool>& bits) {
  styled_list list{{{}, blocks_of_bits(bits)}, {}};
  list.facts.file = "meta";
  list.facts.geometry = {128, static_cast<std::uint32_t>(bits.size())};
  list.facts.block_bytes = list.facts.geometry.block_bytes();
  list.facts.total_blocks = list.blocks.count().blocks;
  list.facts.total_ranges = list.blocks.count().ranges;
  end_with_origin(list, bits.empty() ? 0 : list.facts.geometry.bytes_of(bits.size()) - 32768);
  return list;
}

}  // namespace era::test
