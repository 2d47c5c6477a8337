#include "base/number.h"

#include <algorithm>
#include <cctype>
#include <charconv>

namespace base {

std::optional<std::uint64_t> parse_number(std::string_view text, std::uint64_t max) {
  std::uint64_t value = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, value, 10);
  if (failure != std::errc() || stop != end || value > max) {
    return std::nullopt;
  }
  return value;
}

size_parts split_size(std::string_view text, std::uint64_t bare) {
  constexpr std::string_view letters = "kmgt";
  if (text.empty()) {
    return {text, bare};
  }
  const std::string_view digits = text.substr(0, text.size() - 1);
  const char last = static_cast<char>(std::tolower(static_cast<unsigned char>(text.back())));
  if (last == 's') {
    return {digits, 512};
  }
  const std::size_t i = letters.find(last);
  return i == std::string_view::npos ? size_parts{text, bare}
                                     : size_parts{digits, std::uint64_t{1} << 10 * (i + 1)};
}

std::optional<std::uint64_t> parse_size(std::string_view text, std::uint64_t max) {
  const size_parts size = split_size(text, 1);
  const auto number = parse_number(size.digits, max / size.unit);
  return number ? std::optional(*number * size.unit) : std::nullopt;
}

std::string short_size(std::uint64_t bytes) {
  constexpr std::string_view letters = "kMGT";
  std::size_t i = letters.size();
  while (i > 0 && bytes >> 10 * i == 0) {
    --i;
  }
  if (i == 0) {
    return std::to_string(bytes);
  }
  const std::uint64_t unit = std::uint64_t{1} << 10 * i;
  const std::uint64_t rest = bytes % unit;
  std::uint64_t tenths = bytes / unit * 10 + (rest * 10 + unit / 2) / unit;
  if (tenths >= 100) {
    tenths = (tenths + 5) / 10 * 10;
  }
  const std::string point = tenths % 10 == 0 ? "" : "." + std::to_string(tenths % 10);
  return std::to_string(tenths / 10) + point + letters[i - 1];
}

std::string percent(std::uint64_t part, std::uint64_t whole) {
  std::uint64_t tenths = 0;
  if (part > 0 && part == whole) {
    tenths = 1000;
  } else if (part > 0 && whole > 0) {
    tenths = std::clamp<std::uint64_t>((part * 1000 + whole / 2) / whole, 1, 999);
  }
  return std::to_string(tenths / 10) + "." + std::to_string(tenths % 10) + " %";
}

std::string counted(std::uint64_t n, const std::string& thing) {
  return std::to_string(n) + " " + thing + (n == 1 ? "" : "s");
}

}  // namespace base
