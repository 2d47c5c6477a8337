// What else uses a file, or keeps it from being written to. A loop device that makes a block device
// of a file writes where the page cache of the file is not looked at, and whoever writes to the
// file writes into that device. Thread safe: no state.
#pragma once

#include <sys/stat.h>

#include <string>

namespace base {

// The file beneath the loop device of this folder in /sys; empty if there is none. Throws io_error
// if that can't be found out.
std::string backing_file(const std::string& device);

// The loop device that has this file attached, "/dev/loop3"; empty if none has. Asks
// /sys/block/loop*/loop/backing_file, so a file that was renamed since is not found there. Throws
// io_error if that can't be found out.
std::string loop_device_on(const struct stat& file);

// Throws io_error naming `name` if one has: for who is about to write to the file.
void refuse_attached(const struct stat& file, const std::string& name);

// Throws io_error naming `name` if `fd` is a block device that can't be written to: some kernels
// open one for writing, and then refuse every write.
void refuse_read_only(int fd, const std::string& name);

// Whether `device` is a loop device that has this file attached.
bool is_loop_device_on(const struct stat& device, const struct stat& file);

// Throws io_error naming `name`, the output, if it is the input, or one of them is a loop device on
// the other.
void refuse_input(const struct stat& out, const std::string& name, const struct stat& in);

}  // namespace base
