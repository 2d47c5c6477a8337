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

// Whether one of these numbers is above `limit`. In steps that compilers turn into vector code.
inline bool any_le32_above(const std::byte* from, std::size_t count, std::uint32_t limit) {
  constexpr std::size_t step = 64;
  std::uint32_t above = 0;
  while (count >= step) {
    for (std::size_t i = 0; i < step; ++i) {
      above |= get_le32(from + 4 * i) > limit ? 1 : 0;
    }
    from += 4 * step;
    count -= step;
  }
  for (std::size_t i = 0; i < count; ++i) {
    above |= get_le32(from + 4 * i) > limit ? 1 : 0;
  }
  return above != 0;
}

// Of at least one byte.
inline bool is_zero(const std::byte* memory, std::size_t size) {
  return memory[0] == std::byte{0} && std::memcmp(memory, memory + 1, size - 1) == 0;
}

inline constexpr std::uint64_t ceil_div(std::uint64_t n, std::uint64_t by) {
  return n / by + (n % by != 0);
}

}  // namespace base
