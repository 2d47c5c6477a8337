// A block device on a new regular file, for writing by way of the page cache: single blocks may
// come in any order at the speed of memory, and the system decides when they go to the disk. Not
// thread safe.
#pragma once

#include <string>

#include "base/file_handle.h"
#include "persistent-data/block_device.h"

namespace bench {

class cached_file final : public pd::block_device {
 public:
  // Makes the file, or empties it, with all of its room on the disk: in one piece, if the file
  // system can. Throws base::io_error.
  cached_file(const std::string& path, pd::block_nr nr_blocks);

  pd::block_nr nr_blocks() const override { return nr_blocks_; }
  const std::string& name() const override { return name_; }
  void read(std::span<pd::read_request> batch) override;
  void write(std::span<const pd::write_request> batch) override;
  void flush() override;

 private:
  void write_bytes(std::uint64_t offset, const std::byte* from, std::size_t size);

  std::string name_;
  pd::block_nr nr_blocks_;
  base::file_handle file_;
};

}  // namespace bench
