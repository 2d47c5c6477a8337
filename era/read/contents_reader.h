// The contents of metadata in a dump's order: the writesets by ascending era (unless only the eras
// are wanted), then the eras (doc/format.md 10.1). Decides what goes into which element, where
// metadata is damaged too. A source of era/contents.h. Not thread safe; it reads ahead on a thread
// of its own.
#pragma once

#include <cstdint>
#include <vector>

#include "base/progress.h"
#include "era/contents.h"
#include "era/read/era_reader.h"
#include "era/read/metadata_file.h"

namespace era {

class contents_reader {
 public:
  // `logical`: the last-written eras alone, with every writeset folded in. Without `repair` what is
  // sent is what was read; with it, it is what metadata can hold: `floor` is the latest era that is
  // missing among the archived ones, in which every block counts as written; no era is later than
  // the current one, which is raised where one is, those up to the old one then counting as the new
  // one, since the counter may have begun again; and none in the array is later than an archived
  // one. All must stay.
  contents_reader(metadata& of, problem_sink& sink, bool logical, bool repair,
                  std::uint32_t floor = 0);

  // Reads everything once, so that what is lost is known. Comes before send_to().
  void verify(base::progress& progress);

  // What was lost goes into the writeset of the current era, which is made up where there is none.
  // What is newly found damaged now, on a device that fails, goes to the problem sink too, and
  // counts as written where that does not throw: in its writeset, or, of the era array, in the
  // current era.
  void send_to(contents_sink& into, base::progress& progress);

 private:
  // Keeps what was reported of a block while verifying from being reported again. A byte a metadata
  // block, once there is something to report.
  class first_report final : public problem_sink {
   public:
    first_report(problem_sink& next, block_nr nr_blocks) : next_(next), nr_blocks_(nr_blocks) {}
    void found(const problem& p) override;
    void all_are_verified() { again_ = true; }

   private:
    problem_sink& next_;
    block_nr nr_blocks_;
    std::vector<std::uint8_t> reported_;  // by block: 1 + the code, 0 for nothing
    bool again_ = false;
  };

  // One element: the bits of a writeset, or the eras.
  struct section {
    bool is_writeset = false;
    std::uint64_t nr_values = 0;

    // Of a writeset.
    std::uint32_t era = 0;
    std::vector<std::size_t> sources;  // writesets of the metadata, whose union it is
    bool with_lost = false;            // and of what was lost
  };

  void plan();
  void make_sound();
  void plan_writesets();
  void plan_writeset(std::uint32_t era, std::vector<std::size_t> sources, bool with_lost);
  void read_window(const section& of, std::uint64_t first, contents_window& into);
  void read_bits(const section& of, contents_window& into);
  void add_source(contents_window& into, std::size_t i);
  void add_lost(contents_window& into) const;
  void read_eras(contents_window& into);

  metadata& metadata_;
  first_report sink_;
  era_reader eras_;
  bool logical_;
  bool repair_;
  std::uint32_t floor_;
  std::vector<block_range> lost_eras_;  // that the writeset of the current era stands in for
  std::vector<section> sections_;
  std::vector<std::uint64_t> one_source_;  // scratch
};

struct contents_options {
  metadata_state state = metadata_state::live;
  bool logical = false;
  bool repair = false;  // for a sink of problems that tolerates errors
};

// The whole way from a file to a sink: loads the state, verifies all of it before the sink hears a
// word, and makes sure that a snapshot was held all the time. Damage goes to `problems`; where that
// throws, nothing more is sent. What is damaged and tolerated counts as written in the current era.
// Throws damage_error and base::data_error as metadata_file does, and what the sink throws.
void send_contents(metadata_file& from, const contents_options& options, problem_sink& problems,
                   contents_sink& into, base::progress& progress);

}  // namespace era
