#include "base/progress.h"

#include <unistd.h>

#include <cstdio>
#include <utility>

namespace base {

progress::progress(std::string what, bool wanted)
    : what_(std::move(what)),
      shown_(wanted && ::isatty(STDERR_FILENO) == 1),
      next_(std::chrono::steady_clock::now() + std::chrono::seconds(1)) {}

progress::~progress() {
  if (drawn_) {
    std::fputs("\r\033[K", stderr);
  }
}

void progress::at(std::uint64_t done, std::uint64_t total) {
  if (!shown_ || std::chrono::steady_clock::now() < next_) {
    return;
  }
  next_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  drawn_ = true;
  const double part = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  std::fprintf(stderr, "\r%s: %3.0f%%", what_.c_str(), 100.0 * part);
}

}  // namespace base
