#include "base/in_use.h"

#include <filesystem>
#include <fstream>
#include <system_error>

namespace base {

std::string loop_device_on(const struct stat& file) {
  namespace fs = std::filesystem;
  std::error_code none;
  for (const fs::directory_entry& device : fs::directory_iterator("/sys/block", none)) {
    const std::string name = device.path().filename().string();
    if (!name.starts_with("loop")) {
      continue;
    }
    std::ifstream attribute(device.path() / "loop" / "backing_file");
    std::string path;
    struct stat backing {};
    if (std::getline(attribute, path) && ::stat(path.c_str(), &backing) == 0 &&
        backing.st_dev == file.st_dev && backing.st_ino == file.st_ino) {
      return "/dev/" + name;
    }
  }
  return "";
}

}  // namespace base
