// The lines of which nearly all of a dump consists, into a buffer of fixed size, as fast as that
// goes without a trick: it bounds what era_dump can reach. Kept apart from era/xml/xml_formatter,
// so that each can be held against the other. Not thread safe.
#pragma once

#include <charconv>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <vector>

namespace bench {

class xml_lines {
 public:
  xml_lines() : bytes_(size), at_(bytes_.data()), full_(at_ + size - longest_line) {}

  // No line may be added to a full buffer.
  bool is_full() const { return at_ > full_; }
  std::string_view text() const { return {bytes_.data(), used()}; }
  void clear() { at_ = bytes_.data(); }

  void add_bit(std::uint32_t block, bool set) {
    add("    <bit block=\"");
    add(block);
    if (set) {
      add("\" value=\"true\"/>\n");
    } else {
      add("\" value=\"false\"/>\n");
    }
  }

  void add_era(std::uint32_t block, std::uint32_t era) {
    add("    <era block=\"");
    add(block);
    add("\" era=\"");
    add(era);
    add("\"/>\n");
  }

 private:
  static constexpr std::size_t size = 256 * 1024;
  static constexpr std::size_t longest_line = 64;

  // The length is known when compiled, which makes a move or two of it.
  template <std::size_t Size>
  void add(const char (&text)[Size]) {
    std::memcpy(at_, text, Size - 1);
    at_ += Size - 1;
  }
  void add(std::uint32_t number) { at_ = std::to_chars(at_, at_ + 10, number).ptr; }

  std::size_t used() const { return static_cast<std::size_t>(at_ - bytes_.data()); }

  std::vector<char> bytes_;
  char* at_;
  const char* full_;
};

}  // namespace bench
