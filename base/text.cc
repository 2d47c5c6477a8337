#include "base/text.h"

namespace base {

numbered_text::numbered_text(std::string_view beginning)
    : beginning_(beginning.size()), length_(beginning.size()) {
  beginning.copy(kept_.data(), kept_.size());
}

void numbered_text::begin_hundred(std::uint32_t hundreds) {
  hundreds_ = hundreds;
  length_ = beginning_;
  if (hundreds > 0) {
    const auto end =
        std::to_chars(kept_.data() + beginning_, kept_.data() + kept_.size(), hundreds).ptr;
    length_ = static_cast<std::size_t>(end - kept_.data());
  }
}

}  // namespace base
