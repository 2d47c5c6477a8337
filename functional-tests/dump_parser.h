// Parses the XML that era_dump prints, by hand: independent of the code under test, and strict
// about every byte of the form.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace harness {

struct dumped_writeset {
  std::uint32_t era;
  std::vector<bool> bits;  // one for each of nr_bits
};

struct dump {
  std::uint32_t block_size;
  std::uint64_t nr_blocks;
  std::uint32_t current_era;
  std::vector<dumped_writeset> writesets;
  std::vector<std::uint32_t> era_array;  // one for each of nr_blocks

  // The last-written era of every block: the largest in which it is mentioned.
  std::vector<std::uint32_t> fold() const;
};

// Throws std::runtime_error at the first line that is not as it should be. A complete dump names
// every bit and every era; a compact one only set bits and eras above 0.
dump parse_dump(std::string_view xml);
dump parse_compact_dump(std::string_view xml);

}  // namespace harness
