// Reads a file from where it stands, and can be told to stop waiting for a pipe into which nobody
// writes. One thread reads; any may call stop().
#pragma once

#include <cstddef>
#include <string>

#include "base/file_handle.h"

namespace base {

class input {
 public:
  // `fd` must stay open, and is of a file called `name`.
  input(int fd, std::string name);

  // Reads what there is, at most `size` bytes; where nothing is yet, waits for it. 0 at the end of
  // the file, or once stopped. Throws io_error naming the file.
  std::size_t read_some(char* data, std::size_t size);

  void stop();

 private:
  bool wait();  // false: stopped

  int fd_;
  std::string name_;
  file_handle stopped_;  // an eventfd
};

}  // namespace base
