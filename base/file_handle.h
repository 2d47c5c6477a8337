// A file descriptor with an owner, and the few questions the project asks of a file. Not thread
// safe; a handle may move between threads.
#pragma once

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <utility>

namespace base {

class file_handle {
 public:
  file_handle() = default;
  explicit file_handle(int fd) : fd_(fd) {}
  file_handle(file_handle&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  file_handle& operator=(file_handle&& other) noexcept;
  ~file_handle();

  int fd() const { return fd_; }
  bool is_open() const { return fd_ >= 0; }

  // Closes; throws io_error naming `name` if the system says that data was lost.
  void close(const std::string& name);

 private:
  int fd_ = -1;
};

// Opens the file of `fd` once more, with a position and flags of its own; not open where that
// can't be done.
file_handle reopen(int fd, int flags);

// The same for reads by way of the page cache of a file that is otherwise read past it: the kernel
// does not read ahead there.
file_handle reopen_cached(int fd);

// Writes all of `data`; throws io_error naming `name`, or broken_pipe.
void write_all(int fd, const char* data, std::size_t size, const std::string& name);

// Reads up to `size` bytes, fewer only at the end of the file; throws io_error naming `name`.
std::size_t read_up_to(int fd, char* data, std::size_t size, const std::string& name);

// stat of what `path` leads to; throws io_error naming the path.
struct stat stat_path(const std::string& path);

// Bytes in an open regular file or block device; throws io_error naming `name`.
std::uint64_t size_in_bytes(int fd, const std::string& name);

}  // namespace base
