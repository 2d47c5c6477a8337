// A growing piece of text, and a way to put many similar lines into it fast. Not thread safe.
#pragma once

#include <algorithm>
#include <array>
#include <charconv>
#include <cstddef>
#include <cstdint>
#include <cstring>
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

// Writes numbers most of which are near the one before: those that have all but their last two
// digits in common with it cost a copy and no division of their own.
class near_numbers {
 public:
  // put() may write to so many bytes, though fewer count.
  static constexpr std::size_t longest = 10;

  // Returns where the number ends.
  char* put(char* at, std::uint32_t number) {
    const std::uint32_t hundreds = number / 100;
    if (hundreds != hundreds_) {
      begin_hundred(hundreds);
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
  static constexpr std::array<char, 200> two_digits = [] {
    std::array<char, 200> digits{};
    for (std::size_t i = 0; i < 100; ++i) {
      digits[2 * i] = static_cast<char>('0' + i / 10);
      digits[2 * i + 1] = static_cast<char>('0' + i % 10);
    }
    return digits;
  }();

  void begin_hundred(std::uint32_t hundreds);

  std::array<char, 8> kept_{};  // the digits of hundreds_, none for 0
  std::size_t length_ = 0;
  std::uint32_t hundreds_ = 0;
};

}  // namespace base
