#include "base/whole_file.h"

#include <fcntl.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <optional>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/in_use.h"

namespace base {
namespace {

constexpr std::uint64_t head_size = 4096;

using attributes = std::map<std::string, std::string>;

// Empty if they can't be read.
std::optional<attributes> attributes_of(int fd) {
  std::string names(65536, '\0');
  const ssize_t length = ::flistxattr(fd, names.data(), names.size());
  if (length < 0) {
    return errno == ENOTSUP ? std::optional<attributes>(attributes()) : std::nullopt;
  }
  names.resize(static_cast<std::size_t>(length));
  attributes found;
  for (std::size_t at = 0; at < names.size(); at = names.find('\0', at) + 1) {
    const char* const name = names.c_str() + at;
    std::string value(65536, '\0');
    const ssize_t size = ::fgetxattr(fd, name, value.data(), value.size());
    if (size < 0) {
      return std::nullopt;
    }
    value.resize(static_cast<std::size_t>(size));
    found[name] = value;
  }
  return found;
}

void write_zeros(int fd, std::uint64_t size, const std::string& name) {
  const std::vector<char> zeros(size);
  write_all(fd, zeros.data(), zeros.size(), name);
}

void seek(int fd, std::uint64_t to, const std::string& name) {
  if (::lseek(fd, static_cast<off_t>(to), SEEK_SET) < 0) {
    throw io_error(system_message(name, errno));
  }
}

// `size` bytes from where both stand.
void copy_bytes(int from, int to, std::uint64_t size, const std::string& name) {
  std::vector<char> buffer(std::min<std::uint64_t>(size, 1024 * 1024));
  while (size > 0) {
    const std::size_t got =
        read_up_to(from, buffer.data(), std::min<std::uint64_t>(size, buffer.size()), name);
    if (got == 0) {
      throw io_error(name + ": its temporary file has become shorter");
    }
    write_all(to, buffer.data(), got, name);
    size -= got;
  }
}

void refuse_small_device(int to, std::uint64_t size, const std::string& name) {
  const std::uint64_t room = size_in_bytes(to, name);
  if (room < size) {
    throw io_error(name + ": is too small: the result has " + std::to_string(size) +
                   " bytes, the device " + std::to_string(room) + "\nNothing was written to it.");
  }
}

void make_room(int to, std::uint64_t old_size, std::uint64_t size, const std::string& name) {
  if (size == 0 || retry([&] { return ::fallocate(to, 0, 0, static_cast<off_t>(size)); }) == 0 ||
      errno == EOPNOTSUPP || errno == ENOSYS) {
    return;
  }
  const int error = errno;
  const bool untouched = ::ftruncate(to, static_cast<off_t>(old_size)) == 0;
  throw io_error(system_message(name, error, untouched ? "It holds what it held before." : ""));
}

void copy_from_the_end(int from, int to, std::uint64_t size, bool is_file,
                       const std::string& name) {
  const std::uint64_t head = std::min(size, head_size);
  seek(to, 0, name);
  write_zeros(to, head, name);
  seek(from, head, name);
  copy_bytes(from, to, size - head, name);
  if (is_file && retry([&] { return ::ftruncate(to, static_cast<off_t>(size)); }) != 0) {
    throw io_error(system_message(name, errno));
  }
  sync_file(to, name);
  seek(from, 0, name);
  seek(to, 0, name);
  copy_bytes(from, to, head, name);
  sync_file(to, name);
}

}  // namespace

bool make_alike(int to, int from, const struct stat& info) {
  constexpr mode_t kept = 01777;
  struct stat now {};
  if (::fstat(to, &now) != 0) {
    return false;
  }
  if ((now.st_uid != info.st_uid || now.st_gid != info.st_gid) &&
      ::fchown(to, info.st_uid, info.st_gid) != 0) {
    return false;
  }
  // Before the mode, which opens it to those in an access list that it has from its folder.
  const auto wanted = attributes_of(from);
  if (!wanted || wanted != attributes_of(to)) {
    return false;
  }
  return ::fchmod(to, info.st_mode & kept) == 0 && ::fstat(to, &now) == 0 &&
         now.st_uid == info.st_uid && now.st_gid == info.st_gid &&
         (now.st_mode & 07777) == (info.st_mode & kept);
}

void copy_whole(int from, int to, const std::string& name) {
  struct stat info {};
  if (::fstat(to, &info) != 0) {
    throw io_error(system_message(name, errno));
  }
  const std::uint64_t size = size_in_bytes(from, name);
  const bool is_file = S_ISREG(info.st_mode);
  if (is_file) {
    refuse_attached(info, name);
    make_room(to, static_cast<std::uint64_t>(info.st_size), size, name);
    if ((info.st_mode & (S_ISUID | S_ISGID)) != 0) {
      // Where this is not allowed, the first write does it.
      static_cast<void>(::fchmod(to, info.st_mode & 01777));
    }
  } else {
    refuse_small_device(to, size, name);
  }
  try {
    copy_from_the_end(from, to, size, is_file, name);
  } catch (const io_error& e) {
    throw io_error(std::string(e.what()) + "\nWhat it holds now is incomplete: don't use it.");
  }
}

}  // namespace base
