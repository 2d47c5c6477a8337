// What lies on what: from a file down to the disks, through file systems, partitions, loop devices
// and devices of the device mapper and of md, as /sys and /proc say it. For who is about to suspend
// a device and must not wait for anything that lies above it. So what can't be found out is an
// error, and never taken for nothing: all functions throw base::io_error then. Not seen: what
// another process serves (NBD, FUSE, a virtual machine), the devices of a zfs pool, and a second
// device of a file system for its journal. Thread safe: no state that changes.
#pragma once

#include <sys/types.h>

#include <set>
#include <string>
#include <utility>
#include <vector>

#include "device-mapper/era_device.h"

namespace dm {

class device_tree {
 public:
  // That of the running system, or one that a test has made below a folder: ROOT/sys, ROOT/proc.
  // What those name by a path is looked at there, without the folder.
  explicit device_tree(std::string root = "") : root_(std::move(root)) {}

  // The block device itself and all that it lies on, directly or not.
  std::set<dev_t> beneath_device(dev_t device) const;

  // All devices that the file or folder of this path lies on; of a block device's node, the
  // device's. A file of which no device is known (a pipe, one of /proc or of a network) lies on
  // none. By the path, since the number of a file's stat is not that of a btrfs or an overlay.
  std::set<dev_t> beneath_file(const std::string& path) const;

  // The devices directly above this one or above one of its partitions.
  std::set<dev_t> holders_of(dev_t device) const;

  // Where file systems right on this device are mounted.
  std::vector<std::string> mounts_of(dev_t device) const;

  // The swap areas on this device: itself, or a device or file above it.
  std::vector<std::string> swaps_on(dev_t device) const;

  // In words, what this process or the system could not go on without if `device` were suspended: a
  // file that it has open or mapped (its program, its libraries, standard output), or swap. Nodes
  // of block devices that it has open are its own business.
  std::vector<std::string> needs_of_process(dev_t device) const;

 private:
  std::string root_;
};

// Throws base::data_error if somebody else than the era device uses its origin: another device, a
// mounted file system, or swap.
void require_sole_user(const device_tree& tree, const era_device& device);

}  // namespace dm
