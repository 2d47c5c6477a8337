// What the forms of a list have in common: one piece of text for each run. Thread safe: no state
// that changes.
#pragma once

#include <algorithm>
#include <string_view>

#include "base/text.h"
#include "era/list/list_format.h"

namespace era {

// Calls `put(at, run)` for each run that begins in these words. It may write `longest` bytes from
// `at` on, and returns where its text ends.
template <typename Put>
void put_runs(const written_blocks& blocks, std::uint64_t first_word, std::uint64_t end_word,
              std::size_t longest, base::text& out, Put put) {
  written_blocks::room_for_runs room;
  for (std::uint64_t i = first_word; i < end_word; ++i) {
    char* at = out.room(room.size() * longest);
    for (const block_range& run : blocks.runs_of_word(i, room)) {
      at = put(at, run);
    }
    out.end_at(at);
  }
}

// Return where the text ends.
inline char* put_text(char* at, std::string_view text) {
  return at + text.copy(at, text.size());
}

// Runs in the unit that a list is to be counted in, cut off at the end of the device.
class run_scale {
 public:
  explicit run_scale(const styled_list& list) {
    switch (list.style.unit) {
      case list_unit::blocks:
        end_ = list.blocks.nr_blocks();
        break;
      case list_unit::sectors:
        factor_ = list.facts.block_bytes / sector_bytes;
        end_ = base::ceil_div(list.facts.origin_bytes, sector_bytes);
        break;
      case list_unit::bytes:
        factor_ = list.facts.block_bytes;
        end_ = list.facts.origin_bytes;
        break;
    }
  }

  block_range operator()(const block_range& run) const {
    return {run.first * factor_, std::min(run.end * factor_, end_)};
  }

 private:
  std::uint64_t factor_ = 1;
  std::uint64_t end_ = 0;
};

}  // namespace era
