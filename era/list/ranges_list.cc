// The list as lines of numbers, for shells: begin and end of a run on each, the end exclusive.
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

constexpr std::size_t longest = 2 * base::near_numbers::longest + 2;

void begin(const styled_list&, base::text&) {}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  const run_scale scaled(list);
  base::near_numbers numbers;
  put_runs(list.blocks, first_word, end_word, longest, out,
           [&](char* at, const block_range& blocks) {
             const block_range run = scaled(blocks);
             at = numbers.put(at, run.first);
             *at++ = ' ';
             at = numbers.put(at, run.end);
             *at++ = '\n';
             return at;
           });
}

void end(const styled_list&, base::text&) {}

}  // namespace

const list_format ranges_list = {
    "ranges", "'begin end' on each line, the end exclusive", begin, runs, end, {.any_unit = true}};

}  // namespace era
