#include "base/input.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace base {

input::input(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), stopped_(::eventfd(0, EFD_CLOEXEC)) {
  if (!stopped_.is_open()) {
    throw io_error(system_message(name_, errno));
  }
  // Only advice: pipes take none.
  static_cast<void>(::posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL));
}

void input::stop() {
  // Cannot fail: the counter is far from its end.
  static_cast<void>(::eventfd_write(stopped_.fd(), 1));
}

bool input::wait() {
  pollfd files[] = {{fd_, POLLIN, 0}, {stopped_.fd(), POLLIN, 0}};
  while (::poll(files, 2, -1) < 0 && errno == EINTR) {
  }
  return (files[1].revents & POLLIN) == 0;
}

std::size_t input::read_some(char* data, std::size_t size) {
  while (wait()) {
    const ssize_t got = ::read(fd_, data, size);
    if (got >= 0) {
      return static_cast<std::size_t>(got);
    }
    if (errno != EINTR && errno != EAGAIN) {
      throw io_error(system_message(name_, errno));
    }
  }
  return 0;
}

}  // namespace base
