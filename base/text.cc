#include "base/text.h"

#include <bit>

namespace base {
namespace {

constexpr std::uint64_t ten_digits = 10'000'000'000;

constexpr std::uint64_t in_each_byte(std::uint64_t byte) {
  return byte * 0x0101010101010101;
}

// Eight values, one a byte, as digits, of which the first to be written is in the lowest byte.
std::uint64_t as_decimal_digits(std::uint64_t values) {
  return values + in_each_byte('0');
}

std::uint64_t as_hexadecimal_digits(std::uint64_t values) {
  const std::uint64_t is_letter = (values + in_each_byte(6)) >> 4 & in_each_byte(1);
  return as_decimal_digits(values) + is_letter * ('a' - '0' - 10);
}

void put_eight(char* at, std::uint64_t digits) {
  if constexpr (std::endian::native == std::endian::little) {
    std::memcpy(at, &digits, sizeof digits);
  } else {
    for (int i = 0; i < 8; ++i) {
      at[i] = static_cast<char>(digits >> 8 * i);
    }
  }
}

// All eight digits at once: first the two halves of four, then the quarters of two, then each.
void put_eight_digits(char* at, std::uint32_t number) {
  std::uint64_t values = number / 10000 | std::uint64_t{number % 10000} << 32;
  const std::uint64_t hundreds = values * 10486 >> 20 & 0x0000007F0000007F;
  values = hundreds | (values - 100 * hundreds) << 16;
  const std::uint64_t tens = values * 103 >> 10 & 0x000F000F000F000F;
  values = tens | (values - 10 * tens) << 8;
  put_eight(at, as_decimal_digits(values));
}

// The same in hexadecimal, without the first `left_out` digits.
char* put_eight_hexadecimal(char* at, std::uint32_t number, int left_out) {
  std::uint64_t values = number;
  values = (values & 0xFFFF) << 32 | values >> 16;
  values = (values & 0x000000FF000000FF) << 16 | (values >> 8 & 0x000000FF000000FF);
  values = (values & 0x000F000F000F000F) << 8 | (values >> 4 & 0x000F000F000F000F);
  put_eight(at, as_hexadecimal_digits(values) >> 8 * left_out);
  return at + 8 - left_out;
}

}  // namespace

// What was stored a moment ago in small pieces is slow to load as a whole: so nothing is kept
// before it is sure to be of use.
char* near_numbers::put_far(char* at, std::uint64_t number, std::uint64_t hundreds) {
  is_kept_ = hundreds == hundreds_;
  hundreds_ = hundreds;
  if (is_kept_) {
    const auto end = std::to_chars(kept_.data(), kept_.data() + kept_.size(), hundreds).ptr;
    length_ = hundreds > 0 ? static_cast<std::size_t>(end - kept_.data()) : 0;
  }
  return put_all_digits(at, number);
}

char* near_numbers::put_all_digits(char* at, std::uint64_t number) {
  const std::uint64_t upper = number / ten_digits;
  if (upper == 0) {
    return std::to_chars(at, at + longest, number).ptr;
  }
  if (upper != upper_) {
    upper_ = upper;
    const auto end =
        std::to_chars(upper_digits_.data(), upper_digits_.data() + upper_digits_.size(), upper).ptr;
    upper_length_ = static_cast<std::size_t>(end - upper_digits_.data());
  }
  std::memcpy(at, upper_digits_.data(), upper_digits_.size());
  at += upper_length_;
  const std::uint64_t lower = number - upper * ten_digits;
  put_eight_digits(at, static_cast<std::uint32_t>(lower / 100));
  std::memcpy(at + 8, two_digits.data() + 2 * (lower % 100), 2);
  return at + 10;
}

char* put_hexadecimal(char* at, std::uint64_t number) {
  const auto upper = static_cast<std::uint32_t>(number >> 32);
  const auto lower = static_cast<std::uint32_t>(number);
  if (upper == 0) {
    return put_eight_hexadecimal(at, lower, std::countl_zero(lower | 1) / 4);
  }
  at = put_eight_hexadecimal(at, upper, std::countl_zero(upper) / 4);
  return put_eight_hexadecimal(at, lower, 0);
}

std::string in_lower_case(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') {
      c = static_cast<char>(c - 'A' + 'a');
    }
  }
  return text;
}

}  // namespace base
