#include "base/terminal.h"

#include <sys/ioctl.h>

namespace base {

std::size_t columns_of_terminal(int fd) {
  struct winsize size {};
  return ::ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col != 0 ? size.ws_col : usual_columns;
}

}  // namespace base
