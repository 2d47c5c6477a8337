#include "nbdkit/disk_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/storage.h"

namespace served {
namespace {

off_t offset_of(std::uint64_t bytes) {
  return static_cast<off_t>(bytes);
}

int change_space(int fd, int how, const base::byte_range& bytes) {
  const int result = base::retry(
      [&] { return ::fallocate(fd, how, offset_of(bytes.first), offset_of(bytes.size())); });
  return result == 0 ? 0 : errno;
}

// A device takes whole blocks of its own only, and says EINVAL to others.
bool is_not_possible(int error) {
  return error == EOPNOTSUPP || error == ENOSYS || error == ENODEV || error == EINVAL;
}

}  // namespace

disk_file::disk_file(std::string path, access how) : name_(std::move(path)) {
  const base::storage_opening opening{(how == access::read_only ? O_RDONLY : O_RDWR) | O_EXCL,
                                      base::busy_advice, ""};
  file_ = base::open_storage(name_, opening);
  base::hold_storage(file_.fd(), opening, name_);
  if (::fcntl(file_.fd(), F_SETFL, ::fcntl(file_.fd(), F_GETFL) & ~(O_DIRECT | O_NONBLOCK)) != 0) {
    throw base::io_error(base::system_message(name_, errno));
  }
  size_ = base::size_in_bytes(file_.fd(), name_);
}

int disk_file::read(std::uint64_t offset, void* into, std::size_t size) const {
  return base::read_at(file_.fd(), offset, into, size);
}

int disk_file::write(std::uint64_t offset, const void* from, std::size_t size) const {
  return base::write_at(file_.fd(), offset, from, size);
}

int disk_file::write_zeroes(const base::byte_range& bytes, bool may_trim) const {
  if (may_trim) {
    const int error = change_space(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, bytes);
    if (!is_not_possible(error)) {
      return error;
    }
  }
  const int error = change_space(file_.fd(), FALLOC_FL_ZERO_RANGE, bytes);
  return is_not_possible(error) ? EOPNOTSUPP : error;
}

int disk_file::discard(const base::byte_range& bytes) const {
  const int error = change_space(file_.fd(), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, bytes);
  return is_not_possible(error) ? 0 : error;
}

int disk_file::flush() const {
  return base::retry([&] { return ::fdatasync(file_.fd()); }) == 0 ? 0 : errno;
}

disk_file::extent disk_file::extent_at(std::uint64_t offset) const {
  const off_t data = ::lseek(file_.fd(), offset_of(offset), SEEK_DATA);
  if (data < 0) {
    return {size_, errno == ENXIO};
  }
  if (static_cast<std::uint64_t>(data) > offset) {
    return {std::min(static_cast<std::uint64_t>(data), size_), true};
  }
  const off_t hole = ::lseek(file_.fd(), offset_of(offset), SEEK_HOLE);
  return {hole < 0 ? size_ : std::min(static_cast<std::uint64_t>(hole), size_), false};
}

}  // namespace served
