// Whether a file was written to since reading began. What is not held exclusively can be rewritten
// while it is read, and parts of two states, each with sound blocks, make a third that never was.
//
// Watched are size and times of a regular file, and of the file beneath a loop device. A time alone
// says little about writes in the same tick of the kernel's clock, so a file that was written to
// just now is waited for. Not seen: writes on another machine to a network file system that hands
// out old times, and writes through a mapping into pages that were dirty already. Not thread safe.
#pragma once

#include <sys/stat.h>

#include <string>

namespace base {

class change_watch {
 public:
  // Watches nothing.
  change_watch() = default;

  // Begins to watch an open file or device; a pipe is not watched. Throws io_error naming `name`
  // where somebody keeps writing to it.
  change_watch(int fd, const std::string& name);

  // Whether it was written to, cut or lengthened since. The descriptor must still be open.
  bool has_changed() const;

 private:
  struct state {
    bool known = false;
    struct stat info {};
  };

  state look() const;
  void wait_for_rest(const std::string& name);

  int fd_ = -1;
  std::string beneath_;  // a loop device's file
  state before_;
};

}  // namespace base
