#include "base/temporary_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <utility>

#include "base/error.h"

namespace base {
namespace {

// Short, whatever the file is called that it may become.
std::string random_name() {
  constexpr std::string_view digits = "0123456789abcdefghijklmnopqrstuv";
  std::uint64_t random = 0;
  if (::getrandom(&random, sizeof random, GRND_NONBLOCK) != sizeof random) {
    random =
        static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
  }
  std::string name = ".tmp-";
  for (int i = 0; i < 12; ++i) {
    name += digits[random % digits.size()];
    random /= digits.size();
  }
  return name;
}

}  // namespace

temporary_file::temporary_file(file_handle folder, mode_t mode) : folder_(std::move(folder)) {
  constexpr int flags = O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  if (!folder_.is_open()) {
    error_ = ENOENT;
    return;
  }
  for (int tries = 0; tries < 100; ++tries) {
    name_ = random_name();
    // Before it is made: a signal may come at once.
    doomed_.emplace(folder_.fd(), name_.c_str());
    file_ = file_handle(retry([&] { return ::openat(folder_.fd(), name_.c_str(), flags, mode); }));
    if (file_.is_open()) {
      return;
    }
    error_ = errno;
    doomed_.reset();
    if (error_ != EEXIST) {
      return;
    }
  }
}

temporary_file::~temporary_file() {
  make_nameless();
}

void temporary_file::make_nameless() {
  if (doomed_) {
    ::unlinkat(folder_.fd(), name_.c_str(), 0);
    doomed_.reset();
  }
}

bool temporary_file::rename_to(const std::string& name) {
  const int folder = folder_.fd();
  if (retry([&] { return ::renameat(folder, name_.c_str(), folder, name.c_str()); }) != 0) {
    return false;
  }
  doomed_.reset();
  return true;
}

bool temporary_file::sync_folder() const {
  if (retry([&] { return ::fsync(folder_.fd()); }) == 0 || errno == EINVAL) {
    return true;
  }
  if (errno == EBADF) {
    // A folder that may be changed and not read can't be synced alone.
    ::sync();
    return true;
  }
  return false;
}

std::unique_ptr<temporary_file> make_spool(file_handle beside, const std::string& path) {
  const char* const chosen = std::getenv("TMPDIR");
  auto spool = std::make_unique<temporary_file>(std::move(beside), 0600);
  for (const char* const place : {chosen, "/var/tmp", "/tmp"}) {
    if (!spool->is_open() && place != nullptr) {
      spool = std::make_unique<temporary_file>(open_folder(AT_FDCWD, place), 0600);
    }
  }
  if (!spool->is_open()) {
    throw io_error(system_message(path + ": its temporary file", spool->error(),
                                  "The environment variable TMPDIR names a folder for it."));
  }
  spool->make_nameless();
  return spool;
}

}  // namespace base
