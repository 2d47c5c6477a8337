// The list as `rbd diff --format=json` has it, which backup tools take as a hint: bytes, and none
// of them past the end of the device.
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

constexpr std::string_view before_first = "{\"offset\":";
constexpr std::string_view before_next = ",\n{\"offset\":";
constexpr std::string_view between = ",\"length\":";
constexpr std::string_view after_each = ",\"exists\":\"true\"}";
constexpr std::size_t longest = before_next.size() + between.size() + after_each.size() +
                                base::near_numbers::longest + base::same_numbers::longest;

void begin(const styled_list&, base::text& out) {
  out << "[";
}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word, bool at_start,
          base::text& out) {
  base::near_numbers offsets;
  base::same_numbers lengths;
  bool is_first = at_start;
  put_runs(list.blocks, first_word, end_word, longest, out, [&](char* at, const block_range& run) {
    const base::byte_range bytes = list.bytes_of(run);
    at = is_first ? put_text(at, before_first) : put_text(at, before_next);
    at = offsets.put(at, bytes.first);
    at = lengths.put(put_text(at, between), bytes.end - bytes.first);
    is_first = false;
    return put_text(at, after_each);
  });
}

void end(const styled_list&, base::text& out) {
  out << "]\n";
}

}  // namespace

const list_format rbd_diff_list = {"rbd-diff", "JSON as 'rbd diff' prints it, in bytes", begin,
                                   runs, end};

}  // namespace era
