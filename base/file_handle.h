// A file descriptor with an owner, and the few questions the project asks of a file. Not thread
// safe; a handle may move between threads.
#pragma once

#include <sys/stat.h>

#include <cerrno>
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

// The result of a call of the system, which is made again where a signal has interrupted it. Not
// for close(): the descriptor is gone even then.
template <typename Call>
auto retry(Call call) {
  auto result = call();
  while (result < 0 && errno == EINTR) {
    result = call();
  }
  return result;
}

// A folder as a place for files, by its name seen from the folder `from` (AT_FDCWD: the present
// one). Not open, with errno set, where that can't be done.
file_handle open_folder(int from, const std::string& name);

// Opens the file of `fd` once more, with a position and flags of its own; not open where that
// can't be done.
file_handle reopen(int fd, int flags);

// The same for reads by way of the page cache of a file that is otherwise read past it: the kernel
// does not read ahead there.
file_handle reopen_cached(int fd);

// Writes all of `data`, and waits where the descriptor does not; throws io_error naming `name`, or
// broken_pipe.
void write_all(int fd, const char* data, std::size_t size, const std::string& name);

// Reads up to `size` bytes, fewer only at the end of the file, and waits where the descriptor does
// not; throws io_error naming `name`.
std::size_t read_up_to(int fd, char* data, std::size_t size, const std::string& name);

// These move all bytes at an offset of a regular file or block device, and give 0 or what the
// system refused with: an errno, EIO where the file ends before.
[[nodiscard]] int read_at(int fd, std::uint64_t offset, void* into, std::size_t size);
[[nodiscard]] int write_at(int fd, std::uint64_t offset, const void* from, std::size_t size);

// Puts what was written on stable storage, if it is of a kind that has any; throws io_error naming
// `name`.
void sync_file(int fd, const std::string& name);

// Asks what close() would say of lost data, without closing; throws io_error naming `name`.
void check_close(int fd, const std::string& name);

// Whether the two are one file, or nodes of one device.
bool is_same_file(const struct stat& a, const struct stat& b);

// How the kernel writes the number of a device: "MAJOR:MINOR".
std::string number_text(dev_t device);

// What an open file is; throws io_error naming `name`.
struct stat stat_of(int fd, const std::string& name);

// stat of what `path` leads to; throws io_error naming the path.
struct stat stat_path(const std::string& path);

// Bytes in an open regular file or block device; throws io_error naming `name`.
std::uint64_t size_in_bytes(int fd, const std::string& name);

}  // namespace base
