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

// "1 block", "2 blocks"; `thing` takes an s.
std::string counted(std::uint64_t n, const std::string& thing);

}  // namespace base
