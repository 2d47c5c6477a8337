// The one language between those that read metadata and those that write it: superblock facts,
// writesets as bits, eras as numbers (doc/format.md 5 and 10.1).
//
// A source (the XML reader, the contents reader, a generator) says to a sink (the XML writer, the
// metadata builder) what metadata holds, in this order: begin; for each writeset begin_writeset,
// its bits, end_writeset; the eras; end. Eras may also come between writesets. Values come as runs,
// which may be sparse and in any order, or densely as windows, which ascend without a gap; a source
// uses one form for an element. What is not said of a bit is unset, of an era 0. Nothing is
// complete before end(). Thread safety: calls come from one thread at a time; windows are not
// changed once they were given, and any thread may hold them.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"

namespace era {

struct superblock_facts {
  std::uint32_t block_size = 0;   // sectors of a data block, a positive multiple of 8
  std::uint32_t nr_blocks = 0;    // data blocks, below 2^31
  std::uint32_t current_era = 0;  // no era is later
};

// A place in a text that is a source; line 0 where there is none.
struct text_position {
  std::uint64_t line = 0;
  std::uint32_t column = 0;  // from 1
};

// Bits or eras of neighbouring blocks, all with the same value.
struct contents_run {
  std::uint32_t first = 0;
  std::uint32_t count = 1;
  std::uint32_t value = 0;  // an era, or 1 for a set bit and 0 for an unset one
  text_position at;         // of the first of them
};

// The values of consecutive blocks, all of them: of a writeset `bits` (the lowest bit of the first
// word is that of block `first`), of the era array `eras`; the other is not looked at.
struct contents_window {
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> bits;  // those from `count` on are 0
  std::vector<std::uint32_t> eras;
};
using window_ptr = std::shared_ptr<const contents_window>;

// What a source says contradicts itself. The message does not name the source; those that know it
// add its name and the position.
class contents_conflict : public base::data_error {
 public:
  contents_conflict(const std::string& what, text_position at) : data_error(what), at_(at) {}
  text_position at() const { return at_; }

 private:
  text_position at_;
};

class contents_sink {
 public:
  virtual ~contents_sink() = default;

  virtual void begin(const superblock_facts& facts) = 0;
  virtual void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) = 0;
  virtual void bits(std::span<const contents_run> runs) = 0;
  virtual void bits(window_ptr window) = 0;
  virtual void end_writeset() = 0;
  virtual void eras(std::span<const contents_run> runs) = 0;
  virtual void eras(window_ptr window) = 0;
  virtual void end() = 0;
};

}  // namespace era
