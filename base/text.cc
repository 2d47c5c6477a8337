#include "base/text.h"

namespace base {

void near_numbers::begin_hundred(std::uint32_t hundreds) {
  hundreds_ = hundreds;
  length_ = 0;
  if (hundreds > 0) {
    const auto end = std::to_chars(kept_.data(), kept_.data() + kept_.size(), hundreds).ptr;
    length_ = static_cast<std::size_t>(end - kept_.data());
  }
}

}  // namespace base
