// The way into era metadata: open the file, read the superblock (the live one, or the copy that a
// metadata snapshot keeps), read the writeset tree. After that everything is known but the bits and
// eras themselves, which era_reader.h streams (doc/format.md 2, 5, 7). Not thread safe.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "era/format/problems.h"
#include "era/format/superblock.h"
#include "era/format/writeset.h"
#include "persistent-data/array.h"
#include "persistent-data/file_device.h"

namespace era {

// Which metadata a tool is to read, as the user said it.
struct metadata_source {
  std::string path;
  std::string tool;       // for messages
  bool snapshot = false;  // read the metadata snapshot; then the device may be live
};

// Opens `source.path` for reading: exclusively, if it is a block device, unless the snapshot is to
// be read. Throws base::io_error where that fails, base::data_error where the file is too small or
// is XML.
pd::file_device open_metadata(const metadata_source& source);

// Whether block 0 can be read and is all zero: a target will format such a device.
bool is_unformatted(pd::block_device& device);

// Reads the superblock in block 0, or a snapshot's copy in another block. Empty if it can't be
// used; why, `sink` has heard. A live one that is caught in the middle of being written is read
// again.
std::optional<superblock> read_superblock(pd::block_reader& reader, block_nr where,
                                          problem_sink& sink);

// One state of the metadata: the live one or the snapshot's.
struct metadata {
  superblock state;
  bool snapshot = false;

  // Archived writesets, ascending by era; behind them the open one, if there is one.
  std::vector<writeset> writesets;
  bool has_current = false;

  // A part of the writeset tree could not be read: there may be eras that nobody knows of.
  bool lost_writesets = false;

  std::size_t nr_archived() const { return writesets.size() - (has_current ? 1 : 0); }

  // The archived writeset of that era. That of the open era has none in sound metadata.
  std::optional<std::size_t> find_archived(std::uint32_t era) const;

  place place_of(std::size_t i) const {
    return {structure::writeset, snapshot, writesets[i].era,
            has_current && i + 1 == writesets.size()};
  }
  pd::array_root era_array() const { return {state.era_array_root, 4, state.nr_blocks}; }
};

// Reads the writeset tree of `state`. Its current writeset is left out of a snapshot, where it is
// stale.
metadata read_metadata(pd::walk_context& context, const superblock& state, bool snapshot,
                       problem_sink& sink);

// All of the above for tools that need sound metadata, the snapshot's if the source says so. Throws
// base::data_error, also where no snapshot is held ("no current metadata snap"). The superblock
// must be sound even where `sink` tolerates errors.
metadata load_metadata(pd::walk_context& context, const metadata_source& source,
                       problem_sink& sink);

// Throws base::data_error if the live superblock no longer holds the snapshot that `read` came
// from: what was read may then have been overwritten meanwhile. Does nothing for live metadata,
// which is opened exclusively.
void check_snapshot_still_held(pd::block_reader& reader, const metadata& read);

}  // namespace era
