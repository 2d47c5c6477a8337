// A loop device for tests. Not thread safe.
#pragma once

#include <cstdio>
#include <cstdlib>
#include <string>

namespace base::test {

// Has `file` attached as long as it lives. Without a path where there are no loop devices.
class loop_device {
 public:
  explicit loop_device(const std::string& file, const std::string& options = "") {
    const std::string command = "losetup --find --show " + options + " '" + file + "' 2>/dev/null";
    if (std::FILE* const printed = ::popen(command.c_str(), "r")) {
      for (int c = std::fgetc(printed); c != EOF && c != '\n'; c = std::fgetc(printed)) {
        path_ += static_cast<char>(c);
      }
      ::pclose(printed);
    }
  }
  ~loop_device() {
    if (!path_.empty()) {
      static_cast<void>(std::system(("losetup --detach " + path_).c_str()));
    }
  }
  loop_device(const loop_device&) = delete;
  loop_device& operator=(const loop_device&) = delete;

  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

}  // namespace base::test
