#include "era/xml/xml_scanner.h"

#include <bit>
#include <cstring>

namespace era {
namespace {

// No line of the form is longer, but for blanks in front, nor does taking one apart look further;
// so the end of the text need not be looked for at each step.
constexpr std::ptrdiff_t longest_leaf = 80;

template <std::size_t n>
bool skip(const char*& at, const char (&literal)[n]) {
  if (std::memcmp(at, literal, n - 1) != 0) {
    return false;
  }
  at += n - 1;
  return true;
}

constexpr std::uint64_t every_byte = 0x0101010101010101;

// Eight bytes as they lie in memory, digits turned into 0 to 9.
inline std::uint64_t next_digits(const char* at) {
  std::uint64_t bytes;
  std::memcpy(&bytes, at, sizeof bytes);
  return bytes ^ '0' * every_byte;
}

// The top bits of bytes above 9, right up to the first of them: only from there a carry can come.
inline std::uint64_t no_digits(std::uint64_t bytes) {
  return ((bytes + 0x76 * every_byte) | bytes) & 0x80 * every_byte;
}

// The number that the first `count` digits make, 1 to 8.
inline std::uint64_t number_of(std::uint64_t bytes, std::ptrdiff_t count) {
  bytes <<= 64 - 8 * count;  // zeros in front
  bytes = bytes * 10 + (bytes >> 8);
  constexpr std::uint64_t pairs = 0x000000FF000000FF;
  return ((bytes & pairs) * (100 + (std::uint64_t{1000000} << 32)) +
          (bytes >> 16 & pairs) * (1 + (std::uint64_t{10000} << 32))) >>
         32;
}

// Takes numbers that mostly have as many digits as the one before. Where that is so, the processor
// can go on with what is after the number before it knows the number.
class number_taker {
 public:
  // One to ten digits that fit 32 bits, and the quote after them.
  bool take(const char*& at, std::uint32_t& value) {
    const std::uint64_t bytes = next_digits(at);
    if (at[usual_] == '"' && no_digits(bytes) << (64 - 8 * usual_) == 0) {
      value = static_cast<std::uint32_t>(number_of(bytes, usual_));
      at += usual_ + 1;
      return true;
    }
    return take_unusual(at, value, bytes);
  }

 private:
  bool take_unusual(const char*& at, std::uint32_t& value, std::uint64_t bytes) {
    std::ptrdiff_t count = std::countr_zero(no_digits(bytes)) / 8;
    if (count == 0) {
      return false;
    }
    std::uint64_t sum = number_of(bytes, count);
    if (count < 8) {
      usual_ = count;
    } else {
      for (unsigned digit;
           count < 11 && (digit = static_cast<unsigned char>(at[count]) - unsigned{'0'}) < 10;
           ++count) {
        sum = sum * 10 + digit;
      }
      usual_ = 8;
    }
    value = static_cast<std::uint32_t>(sum);
    at += count + 1;
    return count <= 10 && sum <= UINT32_MAX && at[-1] == '"';
  }

  std::ptrdiff_t usual_ = 1;  // 1 to 8
};

// Bytes at the beginning of a line as dumps indent it; and the tag alone.
constexpr std::ptrdiff_t usual_indent = 4;
constexpr char bit_head[] = "    <bit block=\"";
constexpr char era_head[] = "    <era block=\"";

// Takes lines that come to the same but for their head and tail.
class line_taker {
 public:
  explicit line_taker(leaf_scanner::kind of) : of_bits_(of == leaf_scanner::kind::bits) {}

  // Behind the line, or null if it is not of the form.
  const char* take(const char* at, const char* end, leaf_scanner::leaf& found) {
    if (end - at < longest_leaf) {
      return nullptr;
    }
    const char* const head = of_bits_ ? bit_head : era_head;
    found.column = usual_indent + 1;
    if (std::memcmp(at, head, sizeof bit_head - 1) == 0) {
      at += sizeof bit_head - 1;
    } else if (!skip_unusual_head(at, end, head, found.column)) {
      return nullptr;
    }
    const bool taken =
        blocks_.take(at, found.block) && (of_bits_ ? take_bit(at, found) : take_era(at, found));
    return taken ? at : nullptr;
  }

 private:
  static bool skip_unusual_head(const char*& at, const char* end, const char* head,
                                std::uint32_t& column) {
    const char* const begin = at;
    while (at != end && *at == ' ') {
      ++at;
    }
    column = static_cast<std::uint32_t>(at - begin) + 1;
    constexpr std::ptrdiff_t size = sizeof bit_head - 1 - usual_indent;
    if (end - at < longest_leaf || std::memcmp(at, head + usual_indent, size) != 0) {
      return false;
    }
    at += size;
    return true;
  }

  static bool take_bit(const char*& at, leaf_scanner::leaf& found) {
    if (!skip(at, " value=\"")) {
      return false;
    }
    if (skip(at, "false\"/>\n")) {
      found.value = 0;
      return true;
    }
    found.value = 1;
    return skip(at, "true\"/>\n");
  }

  bool take_era(const char*& at, leaf_scanner::leaf& found) {
    return skip(at, " era=\"") && eras_.take(at, found.value) && skip(at, "/>\n");
  }

  bool of_bits_;
  number_taker blocks_;
  number_taker eras_;
};

}  // namespace

leaf_scanner::result leaf_scanner::scan(std::string_view text, std::span<leaf> into) const {
  line_taker taker(kind_);
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  std::size_t count = 0;
  while (count < into.size()) {
    leaf& found = into[count];
    const char* const next = taker.take(at, end, found);
    if (next == nullptr || found.block >= end_block_ || found.value > most_value_) {
      break;
    }
    at = next;
    ++count;
  }
  return {count, static_cast<std::size_t>(at - text.data())};
}

}  // namespace era
