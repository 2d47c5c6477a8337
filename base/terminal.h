// The terminal that may be at the other end of a descriptor. Thread safe: no state.
#pragma once

#include <cstddef>

namespace base {

// Of a terminal that does not say, and of what is not a terminal.
inline constexpr std::size_t usual_columns = 80;

std::size_t columns_of_terminal(int fd);

}  // namespace base
