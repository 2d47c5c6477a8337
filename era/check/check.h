// era_check: reads everything that is reachable and reports every problem (doc/format.md 10.3):
// superblock, trees, arrays, writesets, the metadata snapshot, and the space map with exact
// reference counts. Not thread safe.
#pragma once

#include <cstdint>
#include <string>

#include "base/progress.h"
#include "era/read/metadata_file.h"

namespace era {

struct check_options {
  bool superblock_only = false;
};

// What was looked at, and what was found. Counts by severity are of problems.
struct check_summary {
  bool superblock_usable = false;
  superblock live;
  std::uint64_t blocks_read = 0;
  std::uint64_t archived_writesets = 0;
  bool snapshot_read = false;
  std::uint64_t errors = 0;
  std::uint64_t nonfatal = 0;
  std::uint64_t remarks = 0;
  std::string first_error;  // what it was, for a verdict in one line
};

// Problems go to `sink` as they are found. Memory: 5 bytes a metadata block, 20 an array block, and
// what the trees need; nothing grows with the problems.
check_summary check(pd::block_device& device, const check_options& options, problem_sink& sink,
                    base::progress& progress);

}  // namespace era
