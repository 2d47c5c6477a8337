// Blocks of a device in a compressed file, to be mailed: those that were put in, at their places,
// damaged ones as they are, and which ones could not be read.
//
// A line of text names the form; a single zstd frame with a checksum follows. It holds le64 blocks
// of the device; then, ascending by block, le64 block, le32 error and, if that is 0, 4096 bytes;
// at the end le64 2^64 - 1 and le64 blocks that were put in. A file that ends anywhere else is cut
// off. Not thread safe.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/file_handle.h"
#include "base/output.h"
#include "persistent-data/block_device.h"

namespace pd {

inline constexpr std::string_view pack_mark = "packed device-mapper metadata 1\n";

class block_packer {
 public:
  // The output must stay. `nr_blocks` is that of the device.
  block_packer(base::output& out, block_nr nr_blocks);
  ~block_packer();
  block_packer(const block_packer&) = delete;
  block_packer& operator=(const block_packer&) = delete;

  // Blocks come in ascending order, beginning with block 0. All functions throw base::io_error as
  // the output does.
  void add(block_nr where, const std::byte* block);
  void add_unreadable(block_nr where, int error);

  // Nothing may follow. The output is not committed.
  void finish();

 private:
  struct compressor;

  void put(const void* bytes, std::size_t size);
  void begin_block(block_nr where, int error);

  std::unique_ptr<compressor> compressor_;
  block_nr nr_added_ = 0;
};

// What was packed, at its places in a nameless temporary file with holes between.
struct unpacked_blocks {
  base::file_handle file;
  block_nr nr_blocks = 0;
  std::vector<block_nr> present;  // ascending, block 0 first; readable or not
  std::vector<block_nr> unreadable;
};

// Unpacks all of `fd`, called `name`, from where it stands. Throws base::data_error for what is not
// packed blocks, whole, and base::io_error. Memory: that of the decompression, at most 8 MiB, and 8
// bytes a block.
unpacked_blocks unpack_blocks(int fd, const std::string& name);

}  // namespace pd
