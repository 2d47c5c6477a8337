#include "base/change_watch.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <ctime>
#include <thread>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/in_use.h"
#include "base/storage.h"

namespace base {
namespace {

// Who has a file open for writing may be in the middle of it, and pause; after so long a pause it
// is taken for idle. A loop device always has its file open.
constexpr std::int64_t pause_of_a_writer = 250'000'000;  // nanoseconds
constexpr auto longest_wait = std::chrono::seconds(2);

std::int64_t nanoseconds(const struct timespec& time) {
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

// Since the last write, by the clock that stamps files; negative if that was set back since.
std::int64_t age_of(const struct stat& info) {
  struct timespec now {};
  ::clock_gettime(CLOCK_REALTIME_COARSE, &now);
  return nanoseconds(now) - nanoseconds(info.st_ctim);
}

// The kernel grants a read lease only where nobody has the file open for writing. It is given back
// at once; a writer who comes in between waits so long, and the signal for that does nothing. False
// too where we may not ask.
bool is_open_for_writing(int fd) {
  if (::fcntl(fd, F_SETSIG, SIGURG) != 0) {
    return false;
  }
  if (::fcntl(fd, F_SETLEASE, F_RDLCK) != 0) {
    return errno == EAGAIN;
  }
  ::fcntl(fd, F_SETLEASE, F_UNLCK);
  return false;
}

// The file beneath a loop device or a partition of one; empty for any other.
std::string file_beneath(const struct stat& device) {
  const std::string folder = "/sys/dev/block/" + number_text(device.st_rdev);
  const std::string path = backing_file(folder);
  return path.empty() ? backing_file(folder + "/..") : path;
}

}  // namespace

change_watch::change_watch(int fd, const std::string& name) : fd_(fd) {
  const struct stat info = stat_of(fd, name);
  if (S_ISBLK(info.st_mode)) {
    beneath_ = file_beneath(info);
    if (beneath_.empty()) {
      return;
    }
    ::fsync(fd);  // what the device still keeps back would count as a write later
  } else if (!S_ISREG(info.st_mode)) {
    fd_ = -1;
    return;
  }
  wait_for_rest(name);
}

change_watch::state change_watch::look() const {
  state found;
  found.known = beneath_.empty() ? fd_ >= 0 && ::fstat(fd_, &found.info) == 0
                                 : ::stat(beneath_.c_str(), &found.info) == 0;
  return found;
}

void change_watch::wait_for_rest(const std::string& name) {
  const auto end = std::chrono::steady_clock::now() + longest_wait;
  for (;;) {
    // First the writers: one that comes later leaves a newer time.
    const bool may_go_on = !beneath_.empty() || is_open_for_writing(fd_);
    before_ = look();
    const std::int64_t age = before_.known ? age_of(before_.info) : 1;
    if (age > (may_go_on ? pause_of_a_writer : 0) || age < -pause_of_a_writer) {
      return;
    }
    if (std::chrono::steady_clock::now() > end) {
      throw io_error(name + ": another program is writing to it\nWait until that has finished.");
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

bool change_watch::has_changed() const {
  if (!before_.known) {
    return false;
  }
  const state now = look();
  return !now.known || now.info.st_size != before_.info.st_size ||
         now.info.st_ino != before_.info.st_ino || now.info.st_dev != before_.info.st_dev ||
         nanoseconds(now.info.st_mtim) != nanoseconds(before_.info.st_mtim) ||
         nanoseconds(now.info.st_ctim) != nanoseconds(before_.info.st_ctim);
}

}  // namespace base
