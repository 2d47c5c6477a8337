#include "base/message.h"

#include <poll.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace base {
namespace {

iovec part_of(std::string_view text) {
  return {const_cast<char*>(text.data()), text.size()};
}

// Both, one after the other.
void write_to_standard_error(std::string_view first, std::string_view second) {
  while (!first.empty() || !second.empty()) {
    const iovec parts[] = {part_of(first), part_of(second)};
    const ssize_t written = ::writev(STDERR_FILENO, parts, 2);
    if (written > 0) {
      const auto count = static_cast<std::size_t>(written);
      const std::size_t of_first = std::min(count, first.size());
      first.remove_prefix(of_first);
      second.remove_prefix(count - of_first);
    } else if (written < 0 && errno == EAGAIN) {
      pollfd ready{STDERR_FILENO, POLLOUT, 0};
      if (::poll(&ready, 1, -1) < 0 && errno != EINTR) {
        return;
      }
    } else if (written == 0 || errno != EINTR) {
      return;
    }
  }
}

}  // namespace

void say(std::string_view message) {
  write_to_standard_error(message, "\n");
}

void draw(std::string_view text) {
  write_to_standard_error(text, "");
}

}  // namespace base
