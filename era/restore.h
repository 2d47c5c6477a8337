// era_restore: XML to metadata (doc/format.md 9 and 10.1).
#pragma once

#include <functional>
#include <string>

namespace era {

struct restore_options {
  std::string input;   // a file, or "-" for standard input
  std::string output;  // a regular file or block device that exists
  bool quiet = false;  // no remarks and no progress on standard error
};

// Order on the device: a mark that nobody takes for metadata into block 0, flush; everything else,
// flush; the superblock, flush. Nothing is written before the superblock's attributes were read and
// found good and the output is known to have room for the era array, nor while the whole fits in
// 16 MiB and is not complete. Throws base::data_error for XML that is refused, base::io_error for
// the files.
void restore(const restore_options& options);

}  // namespace era
