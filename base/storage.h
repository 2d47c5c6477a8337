// Opening what blocks are kept on, a regular file or a block device, by a name that may come to
// mean something else at any time. What it is, is asked of what was opened, and nothing but a
// regular file or a block device is ever opened in earnest: a fifo does not make anybody wait, and
// a tape is not rewound. Thread safe: no state.
#pragma once

#include <sys/stat.h>

#include <string>

#include "base/file_handle.h"

namespace base {

struct storage_opening {
  int flags = 0;             // of open(); O_EXCL is for block devices and left out for others
  std::string if_busy = "";  // advice
  std::string if_missing = "";
};

// Opens past the page cache where the file system allows that. Throws io_error naming `path`.
file_handle open_storage(const std::string& path, const storage_opening& how);

enum class lock { for_reading, for_writing };

// Locks an open regular file against other users of this function until it is closed: readers share
// it, a writer has it alone. Does nothing to others, and nothing where the file system has no
// locks. Throws io_error naming `name` where the lock is taken.
void lock_file(int fd, lock kind, const std::string& name);

// For the time of its life reads of a descriptor go by way of the page cache, so that they may be
// of any size and alignment. No other read of it may be under way.
class cached_reads {
 public:
  explicit cached_reads(int fd);
  ~cached_reads();
  cached_reads(const cached_reads&) = delete;
  cached_reads& operator=(const cached_reads&) = delete;

 private:
  int fd_;
  int flags_;
};

}  // namespace base
