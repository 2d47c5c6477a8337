// The contents of metadata in a dump's order: the writesets by ascending era (unless only the eras
// are wanted), then the eras (doc/format.md 10.1). Decides what goes into which element, where
// metadata is damaged too. A source of era/contents.h. Not thread safe; it reads ahead on a thread
// of its own.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/progress.h"
#include "era/contents.h"
#include "era/read/era_reader.h"
#include "era/read/first_report.h"
#include "era/read/metadata_file.h"

namespace era {

// What was sent, and how much of it is what was read.
struct contents_summary {
  superblock_facts facts;
  std::uint64_t blocks_read = 0;  // metadata blocks, each once

  // Data blocks that count as written in the current era since what was known of them is lost, or
  // would no longer be true.
  std::uint64_t assumed = 0;

  // The latest era that is missing among the archived ones, if any is: every block counts as
  // written in it, or later.
  std::optional<std::uint32_t> missing_era;

  // The current era that the superblock names, if later ones were found and it was raised.
  std::optional<std::uint32_t> raised_from;
};

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

  // All but the sink's end(). What was lost goes into the writeset of the current era, which is
  // made up where there is none. What is newly found damaged now, on a device that fails, goes to
  // the problem sink too, and counts as written where that does not throw: in its writeset, or, of
  // the era array, in the current era.
  void send_to(contents_sink& into, base::progress& progress);

  // What became of the contents, once they were sent.
  contents_summary summary() const;

 private:
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
  std::optional<std::uint32_t> raised_from_;
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
// The sink's end() comes after the last look at whether the file is still what it was, so that a
// sink that needs it to be complete never is with contents that are not. Throws damage_error and
// base::data_error as metadata_file does, and what the sink throws.
contents_summary send_contents(metadata_file& from, const contents_options& options,
                               problem_sink& problems, contents_sink& into,
                               base::progress& progress);

}  // namespace era
