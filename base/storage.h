// Opening what blocks are kept on, a regular file or a block device, by a name that may come to
// mean something else at any time. What it is, is asked of what was opened, and nothing but a
// regular file or a block device is ever opened in earnest: a fifo does not make anybody wait, and
// a tape is not rewound. Thread safe: no state.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <string>

#include "base/file_handle.h"

namespace base {

// For storage_opening, if nothing more is known of what uses the storage.
inline constexpr const char* busy_advice =
    "It is mounted or mapped: deactivate what uses it first.";

struct storage_opening {
  int flags = 0;             // of open(); O_EXCL is for block devices and left out for others
  std::string if_busy = "";  // advice
  std::string if_missing = "";
};

// Opens past the page cache where the file system allows that. Throws io_error naming `path`.
file_handle open_storage(const std::string& path, const storage_opening& how);

enum class making {
  sparse,
  filled  // writing to it takes no more space
};

// Makes a regular file of so many bytes, all zeros. Throws io_error naming `path`, also where there
// is something of that name; nothing is left of it then.
void make_storage(const std::string& path, std::uint64_t bytes, making how);

enum class lock { for_reading, for_writing };

// Locks an open regular file against other users of this function until it is closed: readers share
// it, a writer has it alone. Does nothing to others, and nothing where the file system has no
// locks. Throws io_error naming `name` where the lock is taken.
void lock_file(int fd, lock kind, const std::string& name);

// What else is due for an open file that is read or written as a whole: one to be written to must
// not be attached to a loop device, and one opened with O_EXCL is locked. Does nothing to devices.
// Throws io_error naming `name`.
void hold_storage(int fd, const storage_opening& how, const std::string& name);

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
