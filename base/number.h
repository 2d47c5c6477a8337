// Decimal numbers as users and XML write them: digits only, no sign, no blanks, no other base.
// Thread safe: no state.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace base {

// The number that `text` spells, if it is one or more digits and at most `max`.
std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max);

// A size has a letter at its end, in either case as lvm reads them: s for sectors of 512 bytes, k,
// m, g and t for powers of 1024; or none, and counts units of `bare` bytes.
struct size_parts {
  std::string_view digits;  // or whatever stands there
  std::uint64_t unit;       // bytes
};
size_parts split_size(std::string_view text, std::uint64_t bare);

// The bytes of a size without a letter or with one, at most `max`.
std::optional<std::uint64_t> parse_size(std::string_view text, std::uint64_t max);

// The same the other way round, for people: in the largest unit of which there is one, with a digit
// after the point where there are fewer than ten and it is not 0: "512", "64k", "1.5G". Rounded to
// the nearest.
std::string short_size(std::uint64_t bytes);

// "4.1 %", of a whole that may be 0. Rounded to the nearest; but what is there is never shown as
// nothing, nor what is left of it as all.
std::string percent(std::uint64_t part, std::uint64_t whole);

// "1 block", "2 blocks"; `thing` takes an s.
std::string counted(std::uint64_t n, const std::string& thing);

}  // namespace base
