// What is remembered from one list to the next: the era to ask for, and by what the metadata is
// known again. A JSON object, kept in a file. Thread safe: no state that changes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "era/format/superblock.h"

namespace era {

struct since_state {
  std::uint32_t next_since = 0;  // the era to ask for
  std::uint32_t block_size = 0;  // sectors
  std::uint32_t nr_blocks = 0;
  std::uint32_t current_era = 0;  // of the metadata that was listed
  bool in_progress = false;       // a copy of what was written since then began, and did not end

  bool operator==(const since_state&) const = default;
};

// A longer text is not a state.
inline constexpr std::size_t longest_since_state = 65536;

std::string encode_since_state(const since_state& state);

// Throws base::data_error, naming `file`, for what encode_since_state() can't have made.
since_state decode_since_state(std::string_view text, const std::string& file);

// Throws base::data_error where this superblock can't be that of the same device later on: the
// counter went back, or the blocks have another size. `file` is the metadata.
void require_same_device(const since_state& last, const superblock& now, const std::string& file);

}  // namespace era
