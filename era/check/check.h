// era_check: reads everything that is reachable and reports every problem (doc/format.md 10.3):
// superblock, trees, arrays, writesets, the metadata snapshot, and the space map with exact
// reference counts. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/progress.h"
#include "era/read/metadata_file.h"

namespace era {

struct check_options {
  bool superblock_only = false;

  // `snapshot`: only what the metadata snapshot holds, which a live device leaves as it is; neither
  // the live state nor the space map.
  metadata_state state = metadata_state::live;
};

// What was looked at, and what was found. Counts by severity are of problems.
struct check_summary {
  metadata_state state = metadata_state::live;
  bool superblock_usable = false;  // that of the state; what follows is of it
  superblock found;
  pd::space_map_root space_map;  // of the live superblock
  block_nr metadata_snap = pd::no_block;
  std::uint64_t blocks_read = 0;
  std::optional<std::uint64_t> archived_writesets;  // empty: not read, or not all of them
  bool snapshot_read = false;
  std::uint64_t errors = 0;
  std::uint64_t nonfatal = 0;
  std::uint64_t remarks = 0;
  std::string first_error;  // what it was, for a verdict in one line
};

// Problems go to `sink` as they are found. Memory: 5 bytes a metadata block, 20 an array block, and
// what the trees need; nothing grows with the problems. Throws base::io_error where the device
// fails in a way that is not of one block, and base::data_error where a snapshot is to be checked
// and none is held, or it was dropped meanwhile.
check_summary check(pd::block_device& device, const check_options& options, problem_sink& sink,
                    base::progress& progress);

}  // namespace era
