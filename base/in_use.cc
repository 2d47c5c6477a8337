#include "base/in_use.h"

#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <system_error>

#include "base/error.h"

namespace base {
namespace {

namespace fs = std::filesystem;

// Whether the loop device of this folder in /sys has the file attached.
bool has_attached(const fs::path& device, const struct stat& file) {
  std::ifstream attribute(device / "loop" / "backing_file");
  std::string path(std::istreambuf_iterator<char>(attribute), {});
  if (path.ends_with('\n')) {
    path.pop_back();
  }
  struct stat backing {};
  return !path.empty() && ::stat(path.c_str(), &backing) == 0 && backing.st_dev == file.st_dev &&
         backing.st_ino == file.st_ino;
}

}  // namespace

std::string loop_device_on(const struct stat& file) {
  // Devices come and go while they are listed: what can't be listed is not there.
  std::error_code failed;
  fs::directory_iterator device("/sys/block", failed);
  for (; !failed && device != fs::directory_iterator(); device.increment(failed)) {
    const std::string name = device->path().filename().string();
    if (name.starts_with("loop") && has_attached(device->path(), file)) {
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
  const std::string number =
      std::to_string(major(device.st_rdev)) + ":" + std::to_string(minor(device.st_rdev));
  return has_attached(fs::path("/sys/dev/block") / number, file);
}

}  // namespace base
