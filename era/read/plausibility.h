// What cannot be so in metadata, though every block of it is sound: eras later than the current
// one, writesets of a device without blocks, eras that are missing. Lists and dumps of such
// metadata would be too short, so every reader asks here and a check reports the same
// (doc/format.md 5). What one superblock alone shows is in era/format/superblock.h. Thread safety:
// that of the sink.
#pragma once

#include <optional>
#include <vector>

#include "era/read/metadata.h"

namespace era {

// Reports what is wrong with the eras of the writesets: metadata_file::read_state() does it for all
// that read.
void check_writesets(const metadata& of, problem_sink& sink);

// The same of one block of the era array: an era later than the current one.
void check_array_eras(const metadata& of, const pd::array_block_request& request,
                      const std::byte* values, problem_sink& sink);

// Reports `code` for the first of the eras in a block of the array that are later than `limit`;
// `against` says what they contradict.
void report_later_eras(const metadata& of, const pd::array_block_request& request,
                       const std::byte* values, problem_code code, std::uint32_t limit,
                       const std::string& against, problem_sink& sink);

// Archived eras run unbroken up to the current one, or to that before it while it is open: where
// some are missing, nobody knows what was written in them.
struct era_gap {
  std::size_t after;  // this writeset of the metadata
  std::uint32_t first;
  std::uint32_t last;
};
std::vector<era_gap> missing_eras(const metadata& of);

// "after it the eras 5 to 7 are missing"
problem problem_of(const metadata& of, const era_gap& gap);

// The latest era that is missing from `since` on, if any is. Each gap that reaches so far is
// reported as one that decides what was asked.
std::optional<std::uint32_t> report_missing_eras(const metadata& of, std::uint32_t since,
                                                 problem_sink& sink);

// Throws base::data_error if nobody can have noted `since` from this metadata as the era to ask for
// next: it is later than the era after the current one, or, in a snapshot, than the current one.
void require_possible(const metadata& of, std::uint32_t since, const std::string& file);

}  // namespace era
