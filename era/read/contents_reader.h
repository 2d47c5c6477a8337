// What a dump says, in its order, window by window: the writesets by ascending era (unless only the
// eras are wanted), then the eras. Decides what goes into which element, where metadata is damaged
// too (doc/format.md 10.1). Not thread safe; windows may go to other threads.
#pragma once

#include <cstdint>
#include <vector>

#include "era/read/era_reader.h"

namespace era {

// The lines of one element: the bits of a writeset, or the eras.
struct dump_section {
  enum class kind { writeset, era_array };
  kind what = kind::era_array;
  std::uint64_t nr_lines = 0;

  // Of a writeset.
  std::uint32_t era = 0;
  std::vector<std::size_t> sources;  // writesets of the metadata, whose union it is
  bool with_lost = false;            // and of what was lost
};

// Some of these lines: `words` has the bits, `eras` the eras, whichever the section is of.
struct dump_window {
  const dump_section* of = nullptr;
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::vector<std::uint64_t> words;
  std::vector<std::uint32_t> eras;
  std::vector<std::uint64_t> one_source;  // scratch
};

class dump_reader {
 public:
  // After reader.verify(), which knows what is lost. What was lost in writesets goes into that of
  // the current era, which is made up where there is none. `logical`: the eras alone, with every
  // writeset folded in.
  dump_reader(const metadata& read, era_reader& reader, bool logical);

  // False behind the last. Every section has one window at least.
  bool read_next(dump_window& into);

  std::uint64_t lines_done() const { return lines_done_; }
  std::uint64_t lines_in_all() const { return lines_in_all_; }

 private:
  void plan_writesets();
  void plan_writeset(std::uint32_t era, std::vector<std::size_t> sources, bool with_lost);
  void read_bits(dump_window& into);
  void add_source(dump_window& into, std::size_t i);
  void add_lost(dump_window& into) const;
  void read_eras(dump_window& into);

  const metadata& metadata_;
  era_reader& reader_;
  bool logical_;
  std::vector<dump_section> sections_;
  std::size_t present_ = 0;  // the section that is being read
  std::uint64_t next_line_ = 0;
  std::uint64_t lines_done_ = 0;
  std::uint64_t lines_in_all_ = 0;
};

}  // namespace era
