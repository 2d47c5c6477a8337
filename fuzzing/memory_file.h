// A file in memory, for what reads from a descriptor or writes to a path. Not thread safe.
#pragma once

#include <string>
#include <string_view>

#include "base/file_handle.h"

namespace fuzz {

class memory_file {
 public:
  // Ends the process where there can be none.
  memory_file();

  // All of its contents; what is read or written next begins at the first byte.
  void put(std::string_view text);
  std::string text() const;

  int fd() const { return file_.fd(); }

  // Leads to it, for base::output.
  std::string path() const { return "/dev/fd/" + std::to_string(fd()); }

 private:
  base::file_handle file_;
};

}  // namespace fuzz
