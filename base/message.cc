#include "base/message.h"

#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace base {

void say(std::string_view message) {
  const std::string line = std::string(message) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(STDERR_FILENO, rest.data(), rest.size());
    if (written > 0) {
      rest.remove_prefix(static_cast<std::size_t>(written));
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

}  // namespace base
