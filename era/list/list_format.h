// The forms in which a list of written blocks is printed: one table, from which options, help, man
// pages and tests come, and one file for each form. Thread safe: no state that changes.
#pragma once

#include <span>

#include "base/output.h"
#include "base/progress.h"
#include "base/text.h"
#include "era/list/written_list.h"

namespace era {

// What the numbers of a list count, where its form leaves that open.
enum class list_unit { blocks, sectors, bytes };

struct list_style {
  list_unit unit = list_unit::blocks;
  bool compact = false;
};

// A list and how it is to look.
struct styled_list : written_list {
  list_style style;
};

// What a form does. The runs come in pieces, which several threads make at once.
struct list_format {
  const char* name;
  const char* summary;  // for help
  void (*begin)(const styled_list& list, base::text& out);

  // Puts the runs that begin in words `first_word` up to `end_word`; `at_start` if no run comes
  // before them.
  void (*runs)(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
               bool at_start, base::text& out);
  void (*end)(const styled_list& list, base::text& out);

  struct abilities {
    bool any_unit = false;     // numbers may count sectors or bytes
    bool compact = false;      // there is a shorter form
    bool every_word = false;   // runs() wants the words before the first run too
    bool checksummed = false;  // its end has a place for a checksum of all of it
  } can{};
};

// All of them, the default first.
std::span<const list_format* const> list_formats();

// Prints the whole list; all processors make its pieces. `out` is not committed here; what it
// throws comes through.
void print_list(const list_format& format, const styled_list& list, base::output& out,
                base::progress& progress);

// The totals alone, without a list: as text, a name and a number on each line, or as JSON.
void print_summary_text(const styled_list& list, base::output& out);
void print_summary_json(const styled_list& list, base::output& out);

}  // namespace era
