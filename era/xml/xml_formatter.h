// Puts the elements of era metadata into text, byte for byte as the tools of
// thin-provisioning-tools 0.9.0 write them (doc/format.md 10.1). The compact form leaves out unset
// bits and eras of 0.
//
// Bits and eras come in pieces, and formatters are independent of each other: several can make the
// pieces of one document. Not thread safe by itself.
#pragma once

#include <array>
#include <cstdint>
#include <span>

#include "base/text.h"
#include "era/contents.h"

namespace era {

class xml_formatter {
 public:
  xml_formatter(base::text& out, bool compact);

  void begin_superblock(const superblock_facts& facts);
  void end_superblock();

  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits);
  void end_writeset();

  // `count` bits from `first` on; the lowest bit of the first word is bit `first`.
  void bits(std::uint32_t first, std::uint32_t count, std::span<const std::uint64_t> words);

  void begin_era_array();
  void end_era_array();

  // The eras of the blocks from `first` on.
  void eras(std::uint32_t first, std::span<const std::uint32_t> eras);

 private:
  // The end of a line, which depends on the era alone.
  struct era_end {
    std::uint32_t era;
    std::uint32_t length;
    std::array<char, 24> text;
  };

  static void spell(era_end& end, std::uint32_t era);

  base::text& out_;
  bool compact_;
  base::near_numbers blocks_;
  std::array<era_end, 128> era_ends_;  // each era has one place, and few are in use at a time
};

}  // namespace era
