#include "base/storage.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <thread>
#include <vector>

#include "base/error.h"
#include "base/in_use.h"

namespace base {
namespace {

// Opens where a signal interrupts, and waits for a lease that its holder is about to give back:
// change_watch takes one for a moment.
int open_patiently(const std::string& path, int flags) {
  constexpr int attempts = 100;
  for (int attempt = 1;; ++attempt) {
    const int fd = ::open(path.c_str(), flags | O_CLOEXEC);
    const bool again = fd < 0 && (errno == EINTR || errno == EWOULDBLOCK);
    if (!again || attempt == attempts) {
      return fd;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool for_writing(const storage_opening& how) {
  return (how.flags & O_ACCMODE) != O_RDONLY;
}

[[noreturn]] void explain_refusal(const std::string& path, const struct stat& info,
                                  const storage_opening& how, int error) {
  const bool not_writable = error == EACCES || error == EPERM || error == EROFS;
  if (not_writable && S_ISBLK(info.st_mode) && for_writing(how)) {
    const file_handle device(open_patiently(path, O_RDONLY | O_NONBLOCK));
    refuse_read_only(device.fd(), path);
  }
  throw io_error(system_message(path, error, error == EBUSY ? how.if_busy : ""));
}

void fill_with_zeros(int fd, std::uint64_t bytes, const std::string& name) {
  const std::vector<char> zeros(std::min<std::uint64_t>(bytes, 1 << 20));
  for (std::uint64_t done = 0; done < bytes;) {
    const std::uint64_t part = std::min<std::uint64_t>(bytes - done, zeros.size());
    write_all(fd, zeros.data(), part, name);
    done += part;
  }
  sync_file(fd, name);
}

}  // namespace

file_handle open_storage(const std::string& path, const storage_opening& how) {
  // Looks without opening, which for some devices does something already.
  const file_handle named(open_patiently(path, O_PATH));
  if (!named.is_open()) {
    throw io_error(system_message(path, errno, errno == ENOENT ? how.if_missing : ""));
  }
  const struct stat info = stat_of(named.fd(), path);
  if (!S_ISREG(info.st_mode) && !S_ISBLK(info.st_mode)) {
    throw io_error(path + ": Not a block device or regular file");
  }
  // By its name again, since not everywhere is there a /proc; it has to lead to the same file.
  const int unwanted = S_ISBLK(info.st_mode) ? 0 : O_EXCL;
  const int flags = (how.flags & ~unwanted) | O_NOCTTY | O_NONBLOCK;
  file_handle file(open_patiently(path, flags | O_DIRECT));
  int direct = O_DIRECT;
  if (!file.is_open() && errno == EINVAL) {
    file = file_handle(open_patiently(path, flags));
    direct = 0;
  }
  if (!file.is_open()) {
    explain_refusal(path, info, how, errno);
  }
  const struct stat opened = stat_of(file.fd(), path);
  if (opened.st_dev != info.st_dev || opened.st_ino != info.st_ino ||
      opened.st_rdev != info.st_rdev) {
    throw io_error(path + ": was replaced while it was being opened\nTry again.");
  }
  if (for_writing(how)) {
    refuse_read_only(file.fd(), path);
  }
  if (::fcntl(file.fd(), F_SETFL, direct) != 0) {
    throw io_error(system_message(path, errno));
  }
  return file;
}

void make_storage(const std::string& path, std::uint64_t bytes, making how) {
  file_handle file(
      retry([&] { return ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666); }));
  if (!file.is_open()) {
    throw io_error(system_message(path, errno,
                                  errno == EEXIST ? "Remove it first, or give another name." : ""));
  }
  try {
    if (how == making::filled) {
      fill_with_zeros(file.fd(), bytes, path);
    } else if (::ftruncate(file.fd(), static_cast<off_t>(bytes)) != 0) {
      throw io_error(system_message(path, errno));
    }
    file.close(path);
  } catch (...) {
    ::unlink(path.c_str());
    throw;
  }
}

void lock_file(int fd, lock kind, const std::string& name) {
  int result = 0;
  do {
    result = ::flock(fd, (kind == lock::for_writing ? LOCK_EX : LOCK_SH) | LOCK_NB);
  } while (result != 0 && errno == EINTR);
  if (result != 0 && errno == EWOULDBLOCK) {
    throw io_error(name + (kind == lock::for_writing
                               ? ": another program is reading it or writing to it\n"
                                 "Wait until that has finished, or give another file."
                               : ": another program is writing to it\n"
                                 "Wait until that has finished."));
  }
}

void hold_storage(int fd, const storage_opening& how, const std::string& name) {
  const struct stat info = stat_of(fd, name);
  if (!S_ISREG(info.st_mode)) {
    return;
  }
  if (for_writing(how)) {
    refuse_attached(info, name);
  }
  if ((how.flags & O_EXCL) != 0) {
    lock_file(fd, for_writing(how) ? lock::for_writing : lock::for_reading, name);
  }
}

cached_reads::cached_reads(int fd) : fd_(fd), flags_(::fcntl(fd, F_GETFL)) {
  if (flags_ >= 0 && (flags_ & O_DIRECT) != 0) {
    ::fcntl(fd_, F_SETFL, flags_ & ~O_DIRECT);
  }
}

cached_reads::~cached_reads() {
  if (flags_ >= 0 && (flags_ & O_DIRECT) != 0) {
    ::fcntl(fd_, F_SETFL, flags_);
  }
}

}  // namespace base
