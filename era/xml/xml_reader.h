// Reads the XML of era metadata (doc/format.md 10.1) and hands its contents on in batches. Expat
// decides what is XML; what the elements mean, and whether their numbers are in range, is decided
// here. The lines that documents are full of, one `<bit>` or `<era>` just as dumps write them, are
// taken out before Expat sees them, where Expat is between two elements: that changes nothing of
// what it decides on the rest, and it is slow. Everything that either peer accepts is accepted,
// `<marked>` included. Memory does not depend on the length of the document. Not thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>

namespace era {

struct text_position {
  std::uint64_t line = 0;
  std::uint32_t column = 0;  // from 1
};

// Bits or eras of neighbouring blocks, all with the same value: one element of the document, or
// several that follow one another. The position is that of the first.
struct xml_run {
  std::uint32_t first = 0;
  std::uint32_t count = 1;
  std::uint32_t value = 0;  // an era, or 1 for a set bit and 0 for an unset one
  text_position at;
};

class xml_sink {
 public:
  virtual ~xml_sink() = default;

  // The numbers have been found good: block_size in sectors, a positive multiple of 8; nr_blocks
  // below 2^31; eras at most current_era; blocks below nr_blocks; bits below nr_bits.
  virtual void begin_superblock(std::uint32_t block_size, std::uint32_t nr_blocks,
                                std::uint32_t current_era) = 0;
  virtual void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) = 0;
  virtual void bits(std::span<const xml_run> runs) = 0;
  virtual void end_writeset() = 0;
  virtual void eras(std::span<const xml_run> runs) = 0;  // also between writesets
};

// Throws base::data_error: "FILE: line 3, column 9: reason".
[[noreturn]] void refuse_xml(const std::string& name, text_position at, const std::string& reason);

// Reads from `fd`, a file called `name`, up to the end. `remark` is told what was ignored. Throws
// base::data_error when the document is refused, base::io_error when it can't be read.
//
// `scanning` false leaves everything to Expat, which comes to the same.
void read_xml(int fd, const std::string& name, xml_sink& sink,
              const std::function<void(const std::string&)>& remark, bool scanning = true);

}  // namespace era
