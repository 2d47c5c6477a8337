// A file or device with era metadata on it: the way into it. Owns the reader of its blocks, finds
// the superblocks and reads the state that is asked for, live or snapshot; who reads metadata
// starts here (doc/format.md 2, 5, 7). Not thread safe.
#pragma once

#include <optional>
#include <string>

#include "era/read/metadata.h"

namespace era {

class metadata_file {
 public:
  // The device must stay.
  explicit metadata_file(pd::block_device& device) : blocks_(device) {}
  metadata_file(const metadata_file&) = delete;
  metadata_file& operator=(const metadata_file&) = delete;

  const std::string& name() { return blocks_.device().name(); }
  pd::block_reader& blocks() { return blocks_; }

  // Whether block 0 can be read and is all zero: a target will format such a device.
  bool is_unformatted();

  // Reads the superblock in block 0, or a snapshot's copy in another block. Empty if it can't be
  // used; why, `sink` has heard. A live one that is caught in the middle of being written is read
  // again.
  std::optional<superblock> read_superblock(block_nr where, problem_sink& sink);

  // Reports it if the device has fewer blocks than the space map of the live superblock covers: it
  // is an incomplete copy, or was cut off.
  void check_length(const superblock& live, problem_sink& sink);

  // Reads the writeset tree of a superblock that was found usable. The current writeset is left
  // out of a snapshot, where it is stale. With `counts` every pointer met is counted, and
  // the block of a metadata snapshot may not be in use for anything else.
  metadata read_state(const superblock& from, metadata_state which, problem_sink& sink,
                      pd::reference_counts* counts = nullptr);

  // Throws base::data_error, naming the file, if `live` holds no metadata snapshot.
  static void require_snapshot(const superblock& live, const std::string& file);

  // Superblock and writeset tree of a state. Throws damage_error if a superblock is not sound, even
  // where `sink` tolerates errors, and base::data_error where no snapshot is held.
  metadata load(metadata_state which, problem_sink& sink);

  // Throws base::data_error if the live superblock no longer holds the snapshot that was loaded:
  // what was read may then have been overwritten meanwhile. Live metadata is opened exclusively,
  // and what can't be is looked at for changes.
  void require_held(const metadata& loaded);

 private:
  pd::block_reader blocks_;
};

}  // namespace era
