// The era array: a number a data block, the era in which it was last written as far as digestion
// has come (doc/format.md 5). Thread safe: no state.
#pragma once

#include "persistent-data/array.h"

namespace era {

inline constexpr std::uint32_t era_size = sizeof(std::uint32_t);  // bytes

inline constexpr std::uint32_t eras_in_a_block = pd::array_capacity(era_size);

inline pd::array_shape era_array_shape(std::uint64_t nr_blocks) {
  return {era_size, nr_blocks};
}

inline pd::array_root era_array_root(pd::block_nr root, std::uint64_t nr_blocks) {
  return {root, era_array_shape(nr_blocks)};
}

}  // namespace era
