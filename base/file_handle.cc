#include "base/file_handle.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace base {

file_handle& file_handle::operator=(file_handle&& other) noexcept {
  if (this != &other) {
    if (fd_ >= 0) {
      ::close(fd_);
    }
    fd_ = std::exchange(other.fd_, -1);
  }
  return *this;
}

file_handle::~file_handle() {
  if (fd_ >= 0) {
    ::close(fd_);
  }
}

void file_handle::close(const std::string& name) {
  const int fd = std::exchange(fd_, -1);
  if (fd >= 0 && ::close(fd) != 0) {
    throw io_error(system_message(name, errno));
  }
}

file_handle reopen(int fd, int flags) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return file_handle(::open(path.c_str(), flags | O_CLOEXEC));
}

file_handle reopen_cached(int fd) {
  file_handle cached = reopen(fd, O_RDONLY);
  if (cached.is_open() && ::posix_fadvise(cached.fd(), 0, 0, POSIX_FADV_RANDOM) != 0) {
    return file_handle();
  }
  return cached;
}

void write_all(int fd, const char* data, std::size_t size, const std::string& name) {
  while (size > 0) {
    const ssize_t written = ::write(fd, data, size);
    if (written < 0) {
      if (errno == EINTR) {
        continue;
      }
      if (errno == EPIPE) {
        throw broken_pipe();
      }
      throw io_error(system_message(name, errno));
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

std::size_t read_up_to(int fd, char* data, std::size_t size, const std::string& name) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = ::read(fd, data + done, size - done);
    if (got < 0) {
      if (errno == EINTR) {
        continue;
      }
      throw io_error(system_message(name, errno));
    }
    if (got == 0) {
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

struct stat stat_path(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    throw io_error(system_message(path, errno));
  }
  return info;
}

std::uint64_t size_in_bytes(int fd, const std::string& name) {
  // Works for block devices as well, where st_size is 0.
  const off_t end = ::lseek(fd, 0, SEEK_END);
  if (end < 0 || ::lseek(fd, 0, SEEK_SET) < 0) {
    throw io_error(system_message(name, errno));
  }
  return static_cast<std::uint64_t>(end);
}

}  // namespace base
