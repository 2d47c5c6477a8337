#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/message.h"

namespace base {

progress_bar::progress_bar(bool wanted) : shown_(wanted && ::isatty(STDERR_FILENO) == 1) {}

progress_bar::~progress_bar() {
  wipe();
}

void progress_bar::wipe() {
  if (drawn_) {
    draw("\r\033[K");
    drawn_ = false;
  }
}

void progress_bar::begin(const std::string& stage) {
  wipe();
  stage_ = stage;
  next_ = std::chrono::steady_clock::now() + std::chrono::seconds(1);
}

void progress_bar::at(std::uint64_t done, std::uint64_t total) {
  if (!shown_ || std::chrono::steady_clock::now() < next_) {
    return;
  }
  next_ = std::chrono::steady_clock::now() + std::chrono::milliseconds(200);
  drawn_ = true;
  const double part = total == 0 ? 1.0 : static_cast<double>(done) / static_cast<double>(total);
  std::array<char, 128> line;
  const int length =
      std::snprintf(line.data(), line.size(), "\r%s: %3.0f%%", stage_.c_str(), 100.0 * part);
  if (length > 0) {
    draw({line.data(), std::min(static_cast<std::size_t>(length), line.size() - 1)});
  }
}

}  // namespace base
