// A run of bytes of a file or device. Thread safe: no state that changes.
#pragma once

#include <cstdint>

namespace base {

struct byte_range {
  std::uint64_t first = 0;
  std::uint64_t end = 0;  // exclusive

  std::uint64_t size() const { return end - first; }
  bool operator==(const byte_range&) const = default;
};

}  // namespace base
