#pragma once

#include <cstdint>

#include "persistent-data/array.h"

namespace pd {

std::uint64_t nodes_of_tree(std::uint64_t entries, std::uint32_t value_size);
std::uint64_t blocks_of_array(const array_root& shape);
std::uint64_t blocks_with_space_map(std::uint64_t blocks);

}  // namespace pd
