#include "base/destination.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <cerrno>
#include <climits>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/in_use.h"
#include "base/number.h"
#include "base/temporary_file.h"
#include "base/whole_file.h"

namespace base {
namespace {

// Where a name leads after all symbolic links: a folder, and the name in it, which may be free.
struct place {
  file_handle folder;
  std::string name;
  bool is_descriptor = false;  // a link in /proc led there: others may write to the same file

  bool holds(const struct stat& file) const {
    struct stat info {};
    return ::fstatat(folder.fd(), name.c_str(), &info, AT_SYMLINK_NOFOLLOW) == 0 &&
           is_same_file(info, file);
  }
};

// In a folder where all may make files (/tmp), a link is followed only for whom it belongs to, and
// if it is the folder's owner's: anybody else may want a file of ours overwritten.
bool may_follow(const struct stat& link, const struct stat& folder) {
  constexpr mode_t open_to_all = S_ISVTX | S_IWOTH;
  return (folder.st_mode & open_to_all) != open_to_all || link.st_uid == ::geteuid() ||
         link.st_uid == folder.st_uid;
}

bool is_of_proc(int fd) {
  struct statfs info {};
  return ::fstatfs(fd, &info) == 0 && info.f_type == PROC_SUPER_MAGIC;
}

// Where the link in `at` leads; empty if it is none. Throws io_error naming `path`.
std::string read_link(const place& at, const std::string& path) {
  struct stat link {};
  if (::fstatat(at.folder.fd(), at.name.c_str(), &link, AT_SYMLINK_NOFOLLOW) != 0 ||
      !S_ISLNK(link.st_mode)) {
    return "";
  }
  if (!may_follow(link, stat_of(at.folder.fd(), path))) {
    throw io_error(system_message(path, EACCES, "Somebody else made this symbolic link."));
  }
  std::string target(PATH_MAX, '\0');
  const ssize_t length =
      ::readlinkat(at.folder.fd(), at.name.c_str(), target.data(), target.size());
  if (length <= 0) {
    throw io_error(system_message(path, length < 0 ? errno : ENOENT));
  }
  target.resize(static_cast<std::size_t>(length));
  return target;
}

place find_place(const std::string& path) {
  constexpr int most_links = 40;
  place at;
  std::string rest = path;
  for (int links = 0; links <= most_links; ++links) {
    const std::size_t slash = rest.rfind('/');
    const std::string folder = slash == std::string::npos ? "." : rest.substr(0, slash + 1);
    at.name = rest.substr(slash + 1);  // npos + 1 is 0
    if (at.name.empty() || at.name == "." || at.name == "..") {
      throw io_error(system_message(path, EISDIR));
    }
    at.folder = open_folder(at.folder.is_open() ? at.folder.fd() : AT_FDCWD, folder);
    if (!at.folder.is_open()) {
      throw io_error(system_message(path, errno));
    }
    rest = read_link(at, path);
    if (rest.empty()) {
      return at;
    }
    at.is_descriptor = at.is_descriptor || is_of_proc(at.folder.fd());
  }
  throw io_error(system_message(path, ELOOP));
}

// What takes the bytes as they come. `file` may be left empty: then `fd` is somebody else's.
class stream final : public destination {
 public:
  stream(std::string name, int fd, file_handle file = file_handle())
      : name_(std::move(name)), fd_(fd), file_(std::move(file)) {}

  int fd() const override { return fd_; }
  const std::string& name() const override { return name_; }

  void finish() override {
    if (file_.is_open()) {
      sync_file(fd_, name_);
      file_.close(name_);
    } else {
      check_close(fd_, name_);
    }
  }

 private:
  std::string name_;
  int fd_;
  file_handle file_;
};

// A temporary file that is renamed to its place.
class replaced_file final : public destination {
 public:
  // `old`, if there is one, is the file in that place.
  replaced_file(std::string name, std::string name_in_folder, file_handle old,
                std::unique_ptr<temporary_file> made)
      : name_(std::move(name)),
        name_in_folder_(std::move(name_in_folder)),
        old_(std::move(old)),
        made_(std::move(made)) {}

  int fd() const override { return made_->fd(); }
  const std::string& name() const override { return name_; }

  void finish() override {
    // A list that is short after a power cut would be taken for a whole one.
    sync_file(fd(), name_);
    check_close(fd(), name_);
    if (!made_->rename_to(name_in_folder_)) {
      copy_or_throw(errno);
      return;
    }
    if (!made_->sync_folder()) {
      throw io_error(system_message(name_ + ": is whole and in place, but its folder can't be "
                                            "flushed",
                                    errno, "It may not survive a power cut."));
    }
  }

 private:
  // Something is mounted on it, or it is not ours to take away.
  void copy_or_throw(int error) {
    const bool is_fixed = error == EBUSY || error == EACCES || error == EPERM || error == EXDEV ||
                          error == EROFS || error == ENAMETOOLONG;
    if (!old_.is_open() || !is_fixed) {
      throw io_error(system_message(name_, error));
    }
    made_->make_nameless();
    copy_whole(fd(), old_.fd(), name_);
    old_.close(name_);
  }

  std::string name_;
  std::string name_in_folder_;
  file_handle old_;
  std::unique_ptr<temporary_file> made_;
};

// A file or block device that takes the whole result when that is complete.
class filled_file final : public destination {
 public:
  filled_file(std::string name, file_handle file, std::unique_ptr<temporary_file> spool)
      : name_(std::move(name)),
        spool_name_(name_ + ": its temporary file"),
        file_(std::move(file)),
        spool_(std::move(spool)) {}

  int fd() const override { return spool_->fd(); }
  const std::string& name() const override { return spool_name_; }

  void finish() override {
    copy_whole(fd(), file_.fd(), name_);
    file_.close(name_);
  }

 private:
  std::string name_;
  std::string spool_name_;
  file_handle file_;
  std::unique_ptr<temporary_file> spool_;
};

// The descriptor that a name of one leads to. It may be a file that others write to as well, so it
// is never replaced.
std::optional<int> own_descriptor(std::string_view path) {
  if (path == "/dev/stdout") {
    return STDOUT_FILENO;
  }
  if (path == "/dev/stderr") {
    return STDERR_FILENO;
  }
  for (const std::string_view folder : {"/dev/fd/", "/proc/self/fd/"}) {
    if (path.starts_with(folder)) {
      if (const auto number = parse_number(path.substr(folder.size()), INT_MAX)) {
        return static_cast<int>(*number);
      }
    }
  }
  return std::nullopt;
}

[[noreturn]] void explain_refusal(const std::string& path, int error) {
  if (error == EBUSY) {
    throw io_error(system_message(path, error,
                                  "It is mounted or mapped: deactivate what uses it first, or give "
                                  "another file."));
  }
  if (error == EACCES || error == EPERM || error == EROFS) {
    const file_handle readable(
        retry([&] { return ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC); }));
    refuse_read_only(readable.fd(), path);
  }
  throw io_error(system_message(path, error));
}

bool is_fifo(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && S_ISFIFO(info.st_mode);
}

// What is there already, for writing; not open if there is nothing. O_EXCL refuses a block device
// that is in use, and says nothing to others; O_NONBLOCK waits for nobody.
file_handle open_existing(const std::string& path) {
  constexpr int flags = O_WRONLY | O_NOCTTY | O_CLOEXEC;
  int fd = retry([&] { return ::open(path.c_str(), flags | O_EXCL | O_NONBLOCK); });
  if (fd < 0 && errno == ENXIO && is_fifo(path)) {
    fd = retry([&] { return ::open(path.c_str(), flags); });
  }
  if (fd < 0 && errno != ENOENT) {
    explain_refusal(path, errno);
  }
  return file_handle(fd);
}

void refuse_input_at(const struct stat& out, const std::string& name,
                     const std::string& input_path) {
  if (!input_path.empty()) {
    refuse_input(out, name, stat_path(input_path));
  }
}

std::unique_ptr<destination> open_stream(const std::string& name, int fd,
                                         const std::string& input_path) {
  struct stat info {};
  if (::fstat(fd, &info) == 0) {
    refuse_input_at(info, name, input_path);
  }
  return std::make_unique<stream>(name, fd);
}

std::unique_ptr<destination> open_new(const std::string& path) {
  place at = find_place(path);
  auto made = std::make_unique<temporary_file>(std::move(at.folder), 0666);
  if (!made->is_open()) {
    throw io_error(system_message(path, made->error()));
  }
  return std::make_unique<replaced_file>(path, at.name, file_handle(), std::move(made));
}

// The temporary file that can be renamed over `old`; null where it has to be written in place.
std::unique_ptr<temporary_file> make_successor(file_handle folder, int old, const struct stat& info,
                                               const std::string& path) {
  auto made = std::make_unique<temporary_file>(std::move(folder), 0600);
  if (made->is_open()) {
    return make_alike(made->fd(), old, info) ? std::move(made) : nullptr;
  }
  const int error = made->error();
  if (error != EACCES && error != EPERM && error != EROFS && error != ENAMETOOLONG) {
    throw io_error(system_message(path, error));
  }
  return nullptr;
}

std::unique_ptr<destination> open_over(const std::string& path, file_handle old,
                                       const struct stat& info) {
  place at = find_place(path);
  if (info.st_nlink == 1 && !at.is_descriptor && at.holds(info)) {
    file_handle folder(::fcntl(at.folder.fd(), F_DUPFD_CLOEXEC, 0));
    if (auto made = make_successor(std::move(folder), old.fd(), info, path)) {
      return std::make_unique<replaced_file>(path, at.name, std::move(old), std::move(made));
    }
  }
  refuse_attached(info, path);
  return std::make_unique<filled_file>(path, std::move(old),
                                       make_spool(std::move(at.folder), path));
}

}  // namespace

std::unique_ptr<destination> open_destination(const std::string& path,
                                              const std::string& input_path) {
  if (path.empty() || path == "-") {
    return open_stream("standard output", STDOUT_FILENO, input_path);
  }
  if (const auto fd = own_descriptor(path)) {
    return open_stream(path, *fd, input_path);
  }
  file_handle file = open_existing(path);
  if (!file.is_open()) {
    return open_new(path);
  }
  const struct stat info = stat_of(file.fd(), path);
  refuse_input_at(info, path, input_path);
  if (S_ISREG(info.st_mode)) {
    return open_over(path, std::move(file), info);
  }
  if (S_ISBLK(info.st_mode)) {
    refuse_read_only(file.fd(), path);
    return std::make_unique<filled_file>(path, std::move(file), make_spool(file_handle(), path));
  }
  const int fd = file.fd();
  const int flags = ::fcntl(fd, F_GETFL);
  if (flags < 0 || ::fcntl(fd, F_SETFL, flags & ~O_NONBLOCK) != 0) {
    throw io_error(system_message(path, errno));
  }
  return std::make_unique<stream>(path, fd, std::move(file));
}

}  // namespace base
