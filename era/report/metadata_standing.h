// Where metadata stands, besides the eras of blocks: how full it is, and what is still to be
// digested (doc/format.md 2, 6 and 7). Thread safe: no state.
#pragma once

#include <string>
#include <vector>

#include "era/format/writeset.h"
#include "era/read/metadata_file.h"

namespace era {

struct metadata_standing {
  std::string file;
  bool is_snapshot = false;  // what follows is of a metadata snapshot
  bool current_open = false;
  std::vector<writeset> archived;  // not yet digested; ascending by era

  superblock live;  // in any case

  std::uint64_t used_blocks() const { return live.space_map.nr_allocated; }
  std::uint64_t total_blocks() const { return live.space_map.nr_blocks; }
  bool holds_snapshot() const { return live.metadata_snap != pd::no_block; }
};

// Throws what metadata_file::load() throws, and damage_error.
metadata_standing standing_of(metadata_file& from, metadata_state which);

}  // namespace era
