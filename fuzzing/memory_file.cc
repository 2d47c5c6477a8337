#include "fuzzing/memory_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include "fuzzing/invariants.h"

namespace fuzz {

memory_file::memory_file() : file_(::memfd_create("fuzz", MFD_CLOEXEC)) {
  require(file_.is_open(), "there are files in memory");
}

void memory_file::put(std::string_view text) {
  const bool done =
      ::ftruncate(fd(), 0) == 0 &&
      ::pwrite(fd(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size()) &&
      ::lseek(fd(), 0, SEEK_SET) == 0;
  require(done, "a file in memory can be written");
}

std::string memory_file::text() const {
  const off_t size = ::lseek(fd(), 0, SEEK_END);
  std::string all(static_cast<std::size_t>(size), '\0');
  require(::pread(fd(), all.data(), all.size(), 0) == size, "a file in memory can be read");
  return all;
}

}  // namespace fuzz
