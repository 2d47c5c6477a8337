// The list as XML, byte for byte as era_invalidate of thin-provisioning-tools 0.9.0 prints it
// (doc/format.md 10.2).
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

constexpr std::size_t longest = 40 + 2 * base::near_numbers::longest;

void begin(const styled_list&, base::text& out) {
  out << "<blocks>\n";
}

// One line a run. The spaces around the second = are 0.9.0's; parsers in the wild expect them.
void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  base::near_numbers numbers;
  put_runs(list.blocks, first_word, end_word, longest, out, [&](char* at, const block_range& run) {
    if (run.end - run.first == 1) {
      at = numbers.put(put_text(at, "  <block block=\""), run.first);
    } else {
      at = numbers.put(put_text(at, "  <range begin=\""), run.first);
      at = numbers.put(put_text(at, "\" end = \""), run.end);
    }
    return put_text(at, "\"/>\n");
  });
}

void end(const styled_list&, base::text& out) {
  out << "</blocks>\n";
}

}  // namespace

const list_format xml_list = {"xml", "what parsers of era_invalidate expect", begin, runs, end};

}  // namespace era
