#include "base/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <cstdlib>
#include <optional>

#include "base/error.h"
#include "base/number.h"

namespace base {
namespace {

constexpr std::size_t buffer_size = 256 * 1024;

// What `path` leads to, so that a result replaces the file that a symbolic link leads to and not
// the link.
std::string resolve(const std::string& path) {
  char resolved[PATH_MAX];
  return ::realpath(path.c_str(), resolved) != nullptr ? resolved : path;
}

mode_t mode_of_a_new_file() {
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return 0666 & ~mask;
}

// The descriptor that a name of one leads to. It may be a file that others write to as well,
// so it is never replaced.
std::optional<int> own_descriptor(const std::string& path) {
  constexpr std::string_view folder = "/dev/fd/";
  if (path == "/dev/stdout") {
    return STDOUT_FILENO;
  }
  if (path == "/dev/stderr") {
    return STDERR_FILENO;
  }
  if (path.starts_with(folder)) {
    if (const auto number = parse_number(std::string_view(path).substr(folder.size()), INT_MAX)) {
      return static_cast<int>(*number);
    }
  }
  return std::nullopt;
}

// The new name is not there after a power cut before its folder is.
void sync_folder_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const file_handle opened(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (opened.is_open() && ::fsync(opened.fd()) != 0 && errno != EINVAL) {
    throw io_error(system_message(folder, errno));
  }
}

void refuse_same_file(const struct stat& out, const std::string& path,
                      const std::string& input_path) {
  if (input_path.empty()) {
    return;
  }
  const struct stat in = stat_path(input_path);
  const bool same_file = in.st_dev == out.st_dev && in.st_ino == out.st_ino;
  const bool same_device = S_ISBLK(in.st_mode) && S_ISBLK(out.st_mode) && in.st_rdev == out.st_rdev;
  if (same_file || same_device) {
    throw io_error(path + ": is the input; give another file for the output");
  }
}

}  // namespace

output::output(const std::string& path, const std::string& input_path) : buffer_(buffer_size) {
  if (path.empty() || path == "-") {
    name_ = "standard output";
    fd_ = STDOUT_FILENO;
    return;
  }
  name_ = path;
  if (const auto fd = own_descriptor(path)) {
    fd_ = *fd;
    return;
  }
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno != ENOENT) {
      throw io_error(system_message(path, errno));
    }
    open_beside(path, mode_of_a_new_file());
    return;
  }
  refuse_same_file(info, path, input_path);
  if (S_ISREG(info.st_mode)) {
    if (::access(path.c_str(), W_OK) != 0) {
      throw io_error(system_message(path, errno));
    }
    open_beside(resolve(path), info.st_mode & 07777);
    return;
  }
  file_ = file_handle(::open(path.c_str(), O_WRONLY | O_CLOEXEC));
  if (!file_.is_open()) {
    throw io_error(system_message(path, errno));
  }
  fd_ = file_.fd();
}

output::~output() {
  if (!temporary_path_.empty()) {
    ::unlink(temporary_path_.c_str());
  }
}

void output::open_beside(const std::string& path, mode_t mode) {
  final_path_ = path;
  std::string candidate = path + ".XXXXXX";
  file_ = file_handle(::mkostemp(candidate.data(), O_CLOEXEC));
  if (!file_.is_open()) {
    throw io_error(system_message(name_, errno));
  }
  temporary_path_ = candidate;
  fd_ = file_.fd();
  if (::fchmod(fd_, mode) != 0) {
    throw io_error(system_message(name_, errno));
  }
}

void output::drain() {
  const std::size_t size = used_;
  used_ = 0;
  write_all(fd_, buffer_.data(), size, name_);
}

void output::write_long(std::string_view text) {
  drain();
  if (text.size() > buffer_.size()) {
    write_all(fd_, text.data(), text.size(), name_);
  } else {
    *this << text;
  }
}

void output::commit() {
  drain();
  if (!file_.is_open()) {
    return;
  }
  // A list that is short after a power cut would be taken for a whole one.
  if (::fsync(fd_) != 0 && errno != EINVAL && errno != EROFS) {
    throw io_error(system_message(name_, errno));
  }
  file_.close(name_);
  if (!temporary_path_.empty()) {
    if (::rename(temporary_path_.c_str(), final_path_.c_str()) != 0) {
      throw io_error(system_message(name_, errno));
    }
    temporary_path_.clear();
    sync_folder_of(final_path_);
  }
}

}  // namespace base
