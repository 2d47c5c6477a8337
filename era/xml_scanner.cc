#include "era/xml_scanner.h"

#include <cstring>

namespace era {
namespace {

// No line of the form is longer, but for blanks in front; so that a line can be taken apart without
// looking for the end of the text at each step.
constexpr std::ptrdiff_t longest_leaf = 64;

template <std::size_t n>
bool skip(const char*& at, const char (&literal)[n]) {
  if (std::memcmp(at, literal, n - 1) != 0) {
    return false;
  }
  at += n - 1;
  return true;
}

// One to ten digits that fit 32 bits.
inline bool skip_number(const char*& at, std::uint32_t& value) {
  const char* const first = at;
  std::uint64_t sum = 0;
  for (unsigned digit;
       (digit = static_cast<unsigned char>(*at) - unsigned{'0'}) < 10 && at - first < 11; ++at) {
    sum = sum * 10 + digit;
  }
  value = static_cast<std::uint32_t>(sum);
  return at > first && at - first <= 10 && sum <= UINT32_MAX;
}

bool skip_bit(const char*& at, leaf_scanner::leaf& found) {
  if (!skip(at, "<bit block=\"") || !skip_number(at, found.block) || !skip(at, "\" value=\"")) {
    return false;
  }
  if (skip(at, "false\"/>\n")) {
    found.value = 0;
    return true;
  }
  found.value = 1;
  return skip(at, "true\"/>\n");
}

bool skip_era(const char*& at, leaf_scanner::leaf& found) {
  return skip(at, "<era block=\"") && skip_number(at, found.block) && skip(at, "\" era=\"") &&
         skip_number(at, found.value) && skip(at, "\"/>\n");
}

}  // namespace

// Behind the line, or null if it is not of the form.
const char* leaf_scanner::scan_line(const char* at, const char* end, leaf& found) const {
  const char* const begin = at;
  while (at != end && *at == ' ') {
    ++at;
  }
  if (end - at < longest_leaf) {
    return nullptr;
  }
  found.column = static_cast<std::uint32_t>(at - begin) + 1;
  const bool taken = kind_ == kind::bits ? skip_bit(at, found) : skip_era(at, found);
  return taken && found.block < end_block_ && found.value <= most_value_ ? at : nullptr;
}

leaf_scanner::lines leaf_scanner::scan(std::string_view text) {
  const char* const end = text.data() + text.size();
  const char* at = text.data();
  std::size_t count = 0;
  while (count < leaves_.size()) {
    const char* const next = scan_line(at, end, leaves_[count]);
    if (next == nullptr) {
      break;
    }
    at = next;
    ++count;
  }
  return {std::span(leaves_).first(count), static_cast<std::size_t>(at - text.data())};
}

}  // namespace era
