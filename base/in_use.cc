#include "base/in_use.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <memory>

#include "base/error.h"
#include "base/file_handle.h"

namespace base {
namespace {

constexpr std::size_t longest_path = 4096;

// Devices come and go while they are looked at. Whatever else fails leaves it open whether a file
// is in use.
bool is_hidden(int error) {
  return error == ENOENT || error == ENOTDIR || error == ENODEV || error == ENXIO;
}

[[noreturn]] void fail_at(const std::string& path) {
  throw io_error(system_message(path, errno));
}

bool has_attached(const std::string& device, const struct stat& file) {
  const std::string path = backing_file(device);
  struct stat backing {};
  return !path.empty() && ::stat(path.c_str(), &backing) == 0 && backing.st_dev == file.st_dev &&
         backing.st_ino == file.st_ino;
}

}  // namespace

std::string backing_file(const std::string& device) {
  const std::string name = device + "/loop/backing_file";
  const file_handle attribute(retry([&] { return ::open(name.c_str(), O_RDONLY | O_CLOEXEC); }));
  std::string path(longest_path, '\0');
  const ssize_t got = attribute.is_open()
                          ? retry([&] { return ::read(attribute.fd(), path.data(), path.size()); })
                          : -1;
  if (got < 0 && !is_hidden(errno)) {
    fail_at(name);
  }
  path.resize(static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
  if (path.ends_with('\n')) {
    path.pop_back();
  }
  return path;
}

// Not by std::filesystem, which ends the process where it finds no memory for a name.
std::string loop_device_on(const struct stat& file) {
  const std::string folder = "/sys/block";
  const std::unique_ptr<DIR, int (*)(DIR*)> devices(::opendir(folder.c_str()), ::closedir);
  if (devices == nullptr) {
    if (is_hidden(errno)) {
      return "";
    }
    fail_at(folder);
  }
  while (const dirent* const device = ::readdir(devices.get())) {
    const std::string name = device->d_name;
    std::string path = folder;
    path.append("/").append(name);
    if (name.starts_with("loop") && has_attached(path, file)) {
      return "/dev/" + name;
    }
  }
  return "";
}

void refuse_attached(const struct stat& file, const std::string& name) {
  const std::string loop = loop_device_on(file);
  if (!loop.empty()) {
    throw io_error(name + ": is in use: " + loop + " has it attached\nDetach that (losetup -d " +
                   loop + "), or give another file.");
  }
}

void refuse_read_only(int fd, const std::string& name) {
  struct stat info {};
  int read_only = 0;
  if (::fstat(fd, &info) == 0 && S_ISBLK(info.st_mode) && ::ioctl(fd, BLKROGET, &read_only) == 0 &&
      read_only != 0) {
    throw io_error(name +
                   ": is a read-only block device\n"
                   "Give another file; or let blockdev make it writable, if that can be.");
  }
}

bool is_loop_device_on(const struct stat& device, const struct stat& file) {
  if (!S_ISBLK(device.st_mode) || !S_ISREG(file.st_mode)) {
    return false;
  }
  return has_attached("/sys/dev/block/" + number_text(device.st_rdev), file);
}

void refuse_input(const struct stat& out, const std::string& name, const struct stat& in) {
  if (is_same_file(in, out)) {
    throw io_error(name + ": is the input; give another file for the output");
  }
  if (is_loop_device_on(out, in)) {
    throw io_error(name + ": is a loop device on the input; give another file for the output");
  }
  if (is_loop_device_on(in, out)) {
    throw io_error(name + ": is the file beneath the input; give another file for the output");
  }
}

}  // namespace base
