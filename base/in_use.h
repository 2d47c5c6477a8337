// What else uses a file, or keeps it from being written to. A loop device that makes a block device
// of a file writes where the page cache of the file is not looked at, and whoever writes to the
// file writes into that device. Thread safe: no state.
#pragma once

#include <sys/stat.h>

#include <string>

namespace base {

// The loop device that has this file attached, "/dev/loop3"; empty if none has. Asks
// /sys/block/loop*/loop/backing_file, so a file that was renamed since is not found there.
std::string loop_device_on(const struct stat& file);

// Throws io_error naming `name` if one has: for who is about to write to the file.
void refuse_attached(const struct stat& file, const std::string& name);

// Throws io_error naming `name` if `fd` is a block device that can't be written to: some kernels
// open one for writing, and then refuse every write.
void refuse_read_only(int fd, const std::string& name);

// Whether `device` is a loop device that has this file attached.
bool is_loop_device_on(const struct stat& device, const struct stat& file);

}  // namespace base
