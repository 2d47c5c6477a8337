// The list as nbdkit's extentlist filter reads it: offset and length of each run, in bytes.
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

constexpr std::size_t longest = base::near_numbers::longest + base::same_numbers::longest + 2;

void begin(const styled_list&, base::text&) {}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  base::near_numbers offsets;
  base::same_numbers lengths;
  put_runs(list.blocks, first_word, end_word, longest, out, [&](char* at, const block_range& run) {
    const base::byte_range bytes = list.bytes_of(run);
    at = offsets.put(at, bytes.first);
    *at++ = ' ';
    at = lengths.put(at, bytes.end - bytes.first);
    *at++ = '\n';
    return at;
  });
}

void end(const styled_list&, base::text&) {}

}  // namespace

const list_format extent_list = {"extentlist", "'offset length' lines in bytes, as nbdkit reads",
                                 begin, runs, end};

}  // namespace era
