// The forms in which a list of written blocks is printed: one table, from which options, help, man
// pages and tests come, and one file for each form. Thread safe: no state that changes.
#pragma once

#include <span>

#include "base/output.h"
#include "base/text.h"
#include "era/list/geometry.h"
#include "era/list/written_blocks.h"
#include "era/read/metadata_file.h"

namespace era {

// What a list is of.
struct list_facts {
  std::string file;
  era::geometry geometry;
  metadata_state source = metadata_state::live;
  bool current_open = false;
  std::uint32_t current_era = 0;
  std::uint32_t written_since = 0;
  std::uint32_t next_since = 0;    // the era to ask for next time
  std::uint64_t total_blocks = 0;  // that are listed
};

// A list and what it is of.
struct written_list {
  list_facts facts;
  written_blocks blocks;
};

// Lists the blocks written in era `since` or later. Everything that decides the list is read and
// found sound before this returns; `problems` decides whether damage ends it. Throws what
// metadata_file::load() and require_held() do, and what the sink throws.
written_list list_written_blocks(metadata_file& from, metadata_state which, std::uint32_t since,
                                 problem_sink& problems);

// What a form does. The runs come in pieces, which several threads make at once.
struct list_format {
  const char* name;
  const char* summary;  // for help
  void (*begin)(const list_facts& facts, base::text& out);

  // Puts the runs that begin in words `first_word` up to `end_word`; `at_start` if no run comes
  // before them.
  void (*runs)(const written_blocks& blocks, std::uint64_t first_word, std::uint64_t end_word,
               bool at_start, base::text& out);
  void (*end)(const list_facts& facts, base::text& out);
};

extern const list_format xml_list;
extern const list_format json_list;

// All of them, the default first.
std::span<const list_format* const> list_formats();

// Prints the whole list; all processors make its pieces. `out` is not committed here; what it
// throws comes through.
void print_list(const list_format& format, const written_list& list, base::output& out);

}  // namespace era
