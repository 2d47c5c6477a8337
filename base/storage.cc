#include "base/storage.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

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
