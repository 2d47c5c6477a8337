// A run of data blocks. Thread safe: no state.
#pragma once

#include <cstdint>

namespace era {

struct block_range {
  std::uint64_t first;
  std::uint64_t end;  // exclusive
};

}  // namespace era
