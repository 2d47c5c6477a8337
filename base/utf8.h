// UTF-8 in names that may hold any bytes. Thread safe: no state.
#pragma once

#include <cstddef>
#include <string_view>

namespace base {

// Bytes of the UTF-8 sequence at the beginning of `text`, which is not empty; 0 if that is none.
std::size_t utf8_length(std::string_view text);

}  // namespace base
