// The list of written blocks with all that is to be said of it: what it is of, what was asked, in
// which blocks it counts, and its totals. Thread safe: no state that changes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/byte_range.h"
#include "base/progress.h"
#include "era/list/geometry.h"
#include "era/list/since_state.h"
#include "era/list/written_blocks.h"
#include "era/read/metadata_file.h"

namespace era {

struct list_facts {
  std::string file;
  era::geometry geometry;
  metadata_state source = metadata_state::live;
  bool current_open = false;
  std::uint32_t current_era = 0;
  std::uint32_t written_since = 0;
  std::optional<std::uint32_t> written_before;
  std::uint32_t next_since = 0;  // the era to ask for next time

  // If the device has another number of data blocks than last time.
  std::optional<std::uint32_t> nr_blocks_before;

  std::uint64_t origin_bytes = 0;  // where the device ends, within the last block
  std::uint64_t block_bytes = 0;   // of a block of this list, a multiple of 512
  std::uint64_t total_blocks = 0;  // that are listed
  std::uint64_t total_bytes = 0;   // of them, not counting what lies past the end
  std::uint64_t total_ranges = 0;

  // Blocks of this list that cover the device.
  std::uint64_t nr_list_blocks() const { return base::ceil_div(origin_bytes, block_bytes); }
};

// A list and what it is of.
struct written_list {
  list_facts facts;
  written_blocks blocks;  // those of facts.block_bytes

  // A run cut off at the end of the device.
  base::byte_range bytes_of(const block_range& run) const {
    return {run.first * facts.block_bytes,
            std::min(run.end * facts.block_bytes, facts.origin_bytes)};
  }
};

// What is asked: the blocks whose last-written era is `since` or later, and before `before`.
// Instead of `since` a state of last time may be given: then the blocks that the device has gained
// are listed too.
struct list_question {
  std::uint32_t since = 0;
  std::optional<std::uint32_t> before = {};
  std::optional<since_state> last = {};
};

// The era to ask for next, when all that this state says has been copied.
std::uint32_t next_since_of(const metadata& from);

// Lists the written blocks. Everything that decides the list is read and found sound before this
// returns; `problems` decides whether damage ends it. Throws what metadata_file::load() and
// require_held() do, and what the sink throws; base::data_error where the state of last time is of
// other metadata.
written_list list_written_blocks(metadata_file& from, metadata_state which,
                                 const list_question& question, problem_sink& problems,
                                 base::progress& progress);

// Lets the list end where the origin does, which has so many bytes. Throws base::data_error for one
// that is shorter than the metadata says. A longer one is cut where the metadata ends.
void end_with_origin(written_list& list, std::uint64_t origin_bytes);

// The state to remember when what was listed has been copied.
since_state state_after(const list_facts& facts);

// The same list in blocks of `block_bytes`, a multiple of 512: each that has a written byte is
// listed. Throws base::data_error if there would be more than 2^32 of them, for which one bit each
// is kept.
void change_granularity(written_list& list, std::uint64_t block_bytes);

}  // namespace era
