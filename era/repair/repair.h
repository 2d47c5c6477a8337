// Makes sound contents of damaged metadata, and loses no record of a write: what can't be read
// counts as written in the current era (doc/format.md 10.4). Joined with a metadata builder it
// makes new metadata, with an XML writer a dump.
//
// What it rests on is decided here. A sound superblock is believed. One with a wrong checksum is if
// all of the metadata proves it right (era/repair/resealed_superblock.h). Otherwise nothing on the
// device can show which of the blocks on it are the newest, since those of earlier transactions
// look the same: to use an older state of a tree would be to forget what was written after it. So
// every block then counts as written, in a new era later than any that is found, and all that is
// needed besides is the device's geometry: from what else is on it, or from the caller. Reads the
// device only. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/progress.h"
#include "era/contents.h"
#include "era/read/contents_reader.h"
#include "era/repair/scan.h"

namespace era {

// What the caller knows. A number that a sound superblock contradicts means that this is not the
// superblock of the device, so that nothing it names can be believed: every block counts as
// written.
struct repair_options {
  metadata_state state = metadata_state::live;  // of a snapshot, the superblocks must be sound
  bool logical = false;
  std::optional<std::uint32_t> data_block_size;  // sectors, a positive multiple of 8
  std::optional<std::uint32_t> nr_blocks;        // data blocks, 1 to 2^31 - 1
  std::optional<std::uint32_t> current_era;      // of a superblock that is lost: a new one
};

enum class repair_basis {
  superblock,
  resealed_superblock,  // its checksum is wrong, all else of it is proved
  all_written
};

// A number, and where it is from: "block 7, a superblock of a metadata snapshot".
struct found_number {
  std::uint32_t value = 0;
  std::string source;
};

struct repair_summary {
  repair_basis basis = repair_basis::superblock;
  contents_summary contents;

  // Where every block counts as written: why, and what else that rests on.
  bool contradicted = false;  // the superblock is sound, but the caller says otherwise
  found_number data_block_size;
  found_number nr_blocks;
  std::optional<found_number> latest_era;  // empty: none was found
  std::uint64_t blocks_recognized = 0;     // whole ones of a known type, of any age

  // Nobody knows that the device has not grown since: a kernel takes the data blocks from nr_blocks
  // on as never written.
  bool may_be_longer = false;
};

// The superblock is lost, and no block of the device, nor the caller, says what the geometry is.
class geometry_unknown : public base::data_error {
 public:
  geometry_unknown(const std::string& message, bool data_block_size, bool nr_blocks)
      : data_error(message), data_block_size_(data_block_size), nr_blocks_(nr_blocks) {}

  bool lacks_data_block_size() const { return data_block_size_; }
  bool lacks_nr_blocks() const { return nr_blocks_; }

 private:
  bool data_block_size_;
  bool nr_blocks_;
};

// Damage goes to `problems`, which must tolerate errors; what must not be repaired throws
// base::data_error: what is not era metadata, or of a version that nobody knows. Throws what
// send_contents() throws too.
repair_summary repair(pd::block_device& device, const repair_options& options,
                      problem_sink& problems, contents_sink& into, base::progress& progress);

// What a repair does about a problem that it goes on after: "taken as written in the current era".
// Empty where there is nothing to do about it.
std::string remedy_of(const problem& found);

// What is said of a problem, with the remedy after it, if there is one.
std::string with_remedy(const std::string& said, const problem& of);

}  // namespace era
