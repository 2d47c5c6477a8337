// One state of era metadata, the live one or what a metadata snapshot holds: the superblock and the
// writeset tree, read. What is left to read are the arrays: the bits of the writesets and the era
// array (doc/format.md 2, 5, 7). Not thread safe.
#pragma once

#include <optional>
#include <vector>

#include "era/format/era_array.h"
#include "era/format/problems.h"
#include "era/format/superblock.h"
#include "era/format/writeset.h"
#include "persistent-data/array.h"

namespace era {

enum class metadata_state { live, snapshot };

struct metadata {
  metadata(pd::block_reader& blocks, const era::superblock& from, metadata_state which)
      : superblock(from), state(which), walk(blocks) {}

  era::superblock superblock;
  metadata_state state;

  // Archived writesets, ascending by era; after them the open one, if there is one.
  std::vector<writeset> writesets;
  bool has_current = false;

  // A part of the writeset tree could not be read: there may be eras that nobody knows of.
  bool lost_writesets = false;

  // The blocks of this state that were met so far.
  pd::walk_context walk;

  bool is_snapshot() const { return state == metadata_state::snapshot; }
  std::size_t nr_archived() const { return writesets.size() - (has_current ? 1 : 0); }

  // The archived writeset of that era. That of the open era has none in sound metadata.
  std::optional<std::size_t> find_archived(std::uint32_t era) const;

  // Arrays go by number, everywhere: the writesets' bitsets as they stand in `writesets`, then the
  // era array.
  std::size_t nr_arrays() const { return writesets.size() + 1; }
  std::size_t era_array() const { return writesets.size(); }
  bool is_era_array(std::size_t array) const { return array == era_array(); }
  pd::array_root root_of(std::size_t array) const;
  place place_of(std::size_t array) const;

  // The era of a writeset. An open one is always of the current era.
  std::uint32_t era_of(std::size_t i) const {
    return is_current(i) ? superblock.current_era : writesets[i].era;
  }
  bool is_current(std::size_t i) const { return has_current && i + 1 == writesets.size(); }

  // Reports damage in that array.
  void report(std::size_t array, const pd::damage& found, problem_sink& sink) const;
};

}  // namespace era
