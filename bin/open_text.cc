#include "bin/open_text.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace cli {

opened_text open_text(const std::string& path) {
  if (path == "-") {
    const std::string name = "standard input";
    return {base::file_handle(), {STDIN_FILENO, name, base::change_watch(STDIN_FILENO, name)}};
  }
  base::file_handle file(base::retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.is_open()) {
    throw base::io_error(base::system_message(path, errno));
  }
  const int fd = file.fd();
  if (S_ISDIR(base::stat_of(fd, path).st_mode)) {
    throw base::io_error(path + ": Is a directory, not a file");
  }
  return {std::move(file), {fd, path, base::change_watch(fd, path)}};
}

}  // namespace cli
