// Where the bytes of a result go, and how they become the result under its name.
//
// A regular file is replaced only by finish(), by a complete temporary file that is renamed over it
// and takes its owner, mode and extended attributes. Where a rename is not possible or would not
// keep what the file was (a mount, a folder that can't be written to, several names, an owner that
// can't be given), the complete result is copied into the file. So it is into a block device.
// Anything else takes the bytes as they come.
//
// What a name leads to is opened once; everything else is asked of the descriptor. Never is a file
// more open to others than the one it replaces. Not thread safe.
#pragma once

#include <memory>
#include <string>

namespace base {

class destination {
 public:
  virtual ~destination() = default;

  // Where to write, and what that is called in messages.
  virtual int fd() const = 0;
  virtual const std::string& name() const = 0;

  // All has been written: makes sure that it stays. Throws io_error where that fails.
  virtual void finish() = 0;
};

// `path` "-" or empty: standard output. `input_path`, if not empty, names the file that is being
// read: writing over it is refused. Throws io_error.
std::unique_ptr<destination> open_destination(const std::string& path,
                                              const std::string& input_path);

}  // namespace base
