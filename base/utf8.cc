#include "base/utf8.h"

#include <algorithm>

namespace base {
namespace {

// Whether a sequence of this form may go on so: else it is longer than it has to be, a half of a
// pair of UTF-16, or past the last character there is.
bool may_follow(unsigned char lead, unsigned char second) {
  return lead == 0xE0   ? second >= 0xA0
         : lead == 0xED ? second < 0xA0
         : lead == 0xF0 ? second >= 0x90
         : lead == 0xF4 ? second < 0x90
                        : true;
}

}  // namespace

std::size_t utf8_length(std::string_view text) {
  const auto lead = static_cast<unsigned char>(text[0]);
  const std::size_t length = lead < 0x80   ? 1
                             : lead < 0xC2 ? 0
                             : lead < 0xE0 ? 2
                             : lead < 0xF0 ? 3
                             : lead < 0xF5 ? 4
                                           : 0;
  if (length > text.size() ||
      (length > 1 && !may_follow(lead, static_cast<unsigned char>(text[1])))) {
    return 0;
  }
  const bool followed =
      std::all_of(text.begin() + (length != 0), text.begin() + static_cast<std::ptrdiff_t>(length),
                  [](char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; });
  return followed ? length : 0;
}

}  // namespace base
