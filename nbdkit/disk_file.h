// The origin of a served target, in bytes: a regular file or a block device, read and written
// through the page cache like any disk image. Thread safe.
//
// Errors of the system are returned, since who serves them passes the number on: 0 or an errno.
#pragma once

#include <cstdint>
#include <string>

#include "base/byte_range.h"
#include "base/file_handle.h"

namespace served {

class disk_file {
 public:
  enum class access { read_only, read_write };

  // Holds it against other users who look: a block device by O_EXCL, a file by a lock. Throws
  // base::io_error.
  disk_file(std::string path, access how);

  const std::string& name() const { return name_; }
  std::uint64_t size() const { return size_; }  // bytes; it does not change

  // All of it, or an error.
  [[nodiscard]] int read(std::uint64_t offset, void* into, std::size_t size) const;
  [[nodiscard]] int write(std::uint64_t offset, const void* from, std::size_t size) const;

  // EOPNOTSUPP where that takes writing zeros. `may_trim`: as a hole, if that can be.
  [[nodiscard]] int write_zeroes(const base::byte_range& bytes, bool may_trim) const;

  // Makes a hole, or does nothing where there can be none.
  [[nodiscard]] int discard(const base::byte_range& bytes) const;

  // What was written so far is on stable storage afterwards.
  [[nodiscard]] int flush() const;

  // A run from `offset` on that is all data or all hole; where the system does not know, all of the
  // rest is data.
  struct extent {
    std::uint64_t end;
    bool is_hole;
  };
  extent extent_at(std::uint64_t offset) const;

 private:
  std::string name_;
  base::file_handle file_;
  std::uint64_t size_ = 0;
};

}  // namespace served
