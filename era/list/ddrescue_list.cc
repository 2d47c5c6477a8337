// The list as a mapfile of GNU ddrescue: the whole device in pieces without gaps, each with a mark:
// + what is listed, ? what is not. As a domain (-m) it has ddrescue copy the + alone.
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

constexpr std::size_t longest_line = 10 + 16 + base::same_numbers::longest;

// Most runs are as long as the one before, and most gaps likewise.
char* put_line(char* at, const base::byte_range& bytes, char mark, base::same_numbers& lengths) {
  at = base::put_hexadecimal(put_text(at, "0x"), bytes.first);
  at = lengths.put(put_text(at, " 0x"), bytes.end - bytes.first, 16);
  *at++ = ' ';
  *at++ = mark;
  *at++ = '\n';
  return at;
}

// What is not listed, from a block on up to the next one that is.
char* put_gap(char* at, const styled_list& list, std::uint64_t from, base::same_numbers& lengths) {
  const base::byte_range gap = list.bytes_of({from, list.blocks.first_from(from)});
  return gap.first < gap.end ? put_line(at, gap, '?', lengths) : at;
}

void begin(const styled_list& list, base::text& out) {
  out << "# Mapfile made by era_invalidate " ERA_TOOLS_VERSION
         "\n# Current position, status and pass; then position, size and status of each piece:\n"
         "0x0 + 1\n";
  base::same_numbers lengths;
  out.end_at(put_gap(out.room(longest_line), list, 0, lengths));
}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  base::same_numbers run_lengths;
  base::same_numbers gap_lengths;
  put_runs(list.blocks, first_word, end_word, 2 * longest_line, out,
           [&](char* at, const block_range& run) {
             return put_gap(put_line(at, list.bytes_of(run), '+', run_lengths), list, run.end,
                            gap_lengths);
           });
}

void end(const styled_list&, base::text&) {}

}  // namespace

const list_format ddrescue_list = {"ddrescue", "a mapfile for 'ddrescue -m'", begin, runs, end};

}  // namespace era
