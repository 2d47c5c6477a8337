#include "base/file_version.h"

#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"

namespace base {

file_version::file_version(int fd, const char* name) {
  struct stat info {};
  if (::fstat(fd, &info) != 0) {
    throw io_error(system_message(name, errno));
  }
  if (S_ISREG(info.st_mode)) {
    size_ = info.st_size;
    written_ = {info.st_mtim.tv_sec, info.st_mtim.tv_nsec};
    changed_ = {info.st_ctim.tv_sec, info.st_ctim.tv_nsec};
  }
}

}  // namespace base
