// A growing piece of text, and a way to put many similar lines into it fast. Not thread safe.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

namespace base {

class text {
 public:
  text& operator<<(std::string_view more) {
    char* const at = room(more.size());
    more.copy(at, more.size());
    end_at(at + more.size());
    return *this;
  }

  text& number(std::uint64_t value) {
    char* const at = room(20);
    end_at(std::to_chars(at, at + 20, value).ptr);
    return *this;
  }

  // For writers that know better: where the text ends, with at least so many bytes after it to
  // write to, and then where it ends now.
  char* room(std::size_t bytes) {
    if (bytes_.size() - used_ < bytes) {
      bytes_.resize(std::max(used_ + bytes, 2 * bytes_.size()));
    }
    return bytes_.data() + used_;
  }
  void end_at(const char* end) { used_ = static_cast<std::size_t>(end - bytes_.data()); }

  std::string_view view() const { return {bytes_.data(), used_}; }
  std::size_t size() const { return used_; }
  void clear() { used_ = 0; }  // the memory stays

 private:
  std::vector<char> bytes_;
  std::size_t used_ = 0;
};

inline constexpr std::array<char, 200> two_digits = [] {
  std::array<char, 200> digits{};
  for (std::size_t i = 0; i < 100; ++i) {
    digits[2 * i] = static_cast<char>('0' + i / 10);
    digits[2 * i + 1] = static_cast<char>('0' + i % 10);
  }
  return digits;
}();

// Writes numbers most of which are near the one before: those that have all but their last two
// digits in common with it cost a copy and no division of their own, and those that have all but
// their last ten digits in common a few.
class near_numbers {
 public:
  // put() may write to so many bytes, though fewer count.
  static constexpr std::size_t longest = 26;

  // Returns where the number ends.
  char* put(char* at, std::uint64_t number) {
    const std::uint64_t hundreds = number / 100;
    if (hundreds != hundreds_ || !is_kept_) {
      return put_far(at, number, hundreds);
    }
    std::memcpy(at, kept_.data(), kept_.size());
    if (number < 10) {
      *at = static_cast<char>('0' + number);
      return at + 1;
    }
    std::memcpy(at + length_, two_digits.data() + 2 * (number - 100 * hundreds), 2);
    return at + length_ + 2;
  }

 private:
  char* put_far(char* at, std::uint64_t number, std::uint64_t hundreds);
  char* put_all_digits(char* at, std::uint64_t number);

  // The digits of hundreds_, none for 0; kept when they come for the second time in a row.
  std::array<char, 24> kept_{};
  std::size_t length_ = 0;
  bool is_kept_ = false;
  std::uint64_t hundreds_ = 0;

  // The digits of the last number that had more than ten, without the last ten.
  std::array<char, 16> upper_digits_{};
  std::size_t upper_length_ = 0;
  std::uint64_t upper_ = 0;
};

// Writes numbers most of which are the same as the one before.
class same_numbers {
 public:
  // put() may write to so many bytes, though fewer count.
  static constexpr std::size_t longest = 24;

  // Returns where the number ends.
  char* put(char* at, std::uint64_t number, int base = 10) {
    if (number != number_ || length_ == 0) {
      number_ = number;
      length_ = static_cast<std::size_t>(
          std::to_chars(kept_.data(), kept_.data() + kept_.size(), number, base).ptr -
          kept_.data());
    }
    std::memcpy(at, kept_.data(), kept_.size());
    return at + length_;
  }

 private:
  std::array<char, longest> kept_{};
  std::size_t length_ = 0;
  std::uint64_t number_ = 0;
};

// Writes a number in hexadecimal, as to_chars() does. Returns where it ends; 16 bytes may be
// written to.
char* put_hexadecimal(char* at, std::uint64_t number);

// The letters of ASCII; all else stays, whatever the locale.
std::string in_lower_case(std::string text);

}  // namespace base
