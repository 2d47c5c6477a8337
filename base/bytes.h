// Little-endian integers in byte buffers, at any alignment. Every number on a metadata device goes
// through these functions (doc/format.md 1). Callers check bounds. Thread safe: no state.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace base {

static_assert(std::endian::native == std::endian::little,
              "the bulk loops copy little-endian words straight from disk");

inline std::uint32_t get_le32(const std::byte* from) {
  std::uint32_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline std::uint64_t get_le64(const std::byte* from) {
  std::uint64_t value;
  std::memcpy(&value, from, sizeof value);
  return value;
}

inline void put_le32(std::byte* to, std::uint32_t value) {
  std::memcpy(to, &value, sizeof value);
}
inline void put_le64(std::byte* to, std::uint64_t value) {
  std::memcpy(to, &value, sizeof value);
}

inline constexpr std::uint64_t ceil_div(std::uint64_t n, std::uint64_t by) {
  return n / by + (n % by != 0);
}

}  // namespace base
