// A writeset as the writeset tree holds it: key = era, value = length and root of its bitset
// (doc/format.md 3). Thread safe: no state.
#pragma once

#include <cstdint>

#include "persistent-data/block.h"

namespace era {

struct writeset {
  std::uint32_t era;
  std::uint32_t nr_bits;
  pd::block_nr root;
};

inline constexpr std::uint32_t writeset_value_size = 12;  // bytes

writeset decode_writeset(std::uint32_t era, const std::byte* value);
void encode_writeset(const writeset& from, std::byte* value);

}  // namespace era
