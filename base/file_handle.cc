#include "base/file_handle.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"

namespace base {
namespace {

// For a descriptor that somebody made non-blocking, which all that share it then have to bear.
void wait_until_ready(int fd, short event) {
  pollfd ready{fd, event, 0};
  ::poll(&ready, 1, -1);
}

// By pread or pwrite; `if_none` is what it means that nothing was moved.
template <typename Byte, typename Move>
int move_all_at(std::uint64_t offset, Byte* bytes, std::size_t size, int if_none, Move move) {
  while (size > 0) {
    const ssize_t moved = retry([&] { return move(bytes, size, static_cast<off_t>(offset)); });
    if (moved <= 0) {
      return moved == 0 ? if_none : errno;
    }
    const auto count = static_cast<std::size_t>(moved);
    bytes += count;
    offset += count;
    size -= count;
  }
  return 0;
}

}  // namespace

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

file_handle open_folder(int from, const std::string& name) {
  constexpr int flags = O_DIRECTORY | O_CLOEXEC;
  int fd = retry([&] { return ::openat(from, name.c_str(), O_RDONLY | flags); });
  if (fd < 0 && errno == EACCES) {
    // Files can be made in one that can't be read.
    fd = retry([&] { return ::openat(from, name.c_str(), O_PATH | flags); });
  }
  return file_handle(fd);
}

file_handle reopen(int fd, int flags) {
  const std::string path = "/proc/self/fd/" + std::to_string(fd);
  return file_handle(retry([&] { return ::open(path.c_str(), flags | O_CLOEXEC); }));
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
    const ssize_t written = retry([&] { return ::write(fd, data, size); });
    if (written < 0 && errno == EAGAIN) {
      wait_until_ready(fd, POLLOUT);
      continue;
    }
    if (written < 0 && errno == EPIPE) {
      throw broken_pipe();
    }
    if (written <= 0) {
      const int error = written == 0 ? EIO : errno;
      throw io_error(system_message(
          name, error, error == EBADF ? "It is closed, or was opened for reading only." : ""));
    }
    data += written;
    size -= static_cast<std::size_t>(written);
  }
}

std::size_t read_up_to(int fd, char* data, std::size_t size, const std::string& name) {
  std::size_t done = 0;
  while (done < size) {
    const ssize_t got = retry([&] { return ::read(fd, data + done, size - done); });
    if (got < 0 && errno == EAGAIN) {
      wait_until_ready(fd, POLLIN);
      continue;
    }
    if (got < 0) {
      throw io_error(system_message(name, errno));
    }
    if (got == 0) {
      break;
    }
    done += static_cast<std::size_t>(got);
  }
  return done;
}

int read_at(int fd, std::uint64_t offset, void* into, std::size_t size) {
  return move_all_at(offset, static_cast<char*>(into), size, EIO,
                     [&](char* to, std::size_t n, off_t at) { return ::pread(fd, to, n, at); });
}

int write_at(int fd, std::uint64_t offset, const void* from, std::size_t size) {
  return move_all_at(
      offset, static_cast<const char*>(from), size, ENOSPC,
      [&](const char* bytes, std::size_t n, off_t at) { return ::pwrite(fd, bytes, n, at); });
}

void sync_file(int fd, const std::string& name) {
  // Pipes and most character devices have nothing to put anywhere.
  if (retry([&] { return ::fsync(fd); }) != 0 && errno != EINVAL && errno != EROFS) {
    throw io_error(system_message(name, errno));
  }
}

void check_close(int fd, const std::string& name) {
  const int copy = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);
  if (copy < 0 || ::close(copy) != 0) {
    throw io_error(system_message(name, errno));
  }
}

std::string number_text(dev_t device) {
  return std::to_string(major(device)) + ":" + std::to_string(minor(device));
}

bool is_same_file(const struct stat& a, const struct stat& b) {
  const bool same_device = S_ISBLK(a.st_mode) && S_ISBLK(b.st_mode) && a.st_rdev == b.st_rdev;
  return same_device || (a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

struct stat stat_of(int fd, const std::string& name) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    throw io_error(system_message(name, errno));
  }
  return info;
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
