// Tells whether a regular file was changed between two moments, by its size and times: a change of
// the same size within one tick of the file system's clock can't be seen. All files of another kind
// have the same version. Thread safe: no state that changes.
#pragma once

#include <sys/types.h>

#include <cstdint>

namespace base {

class file_version {
 public:
  // Of what is open as `fd`, now. Throws io_error naming it.
  file_version(int fd, const char* name);

  bool operator==(const file_version&) const = default;

 private:
  struct moment {
    std::int64_t seconds = 0;
    std::int64_t nanoseconds = 0;
    bool operator==(const moment&) const = default;
  };

  off_t size_ = 0;
  moment written_;
  moment changed_;
};

}  // namespace base
