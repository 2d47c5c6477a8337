// The list as one JSON object that says all about itself: tool and version, what the list is of,
// totals, then the ranges: objects with ends that are exclusive, or, compact, pairs of begin and
// length.
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

// The ranges are one level in; the array itself is opened and closed by hand, as it is printed in
// pieces.
struct shape {
  std::string_view before_first;
  std::string_view before_next;
  std::string_view between;
  std::string_view after_each;
};
constexpr shape objects = {
    "\n    {\n      \"begin\": ", ",\n    {\n      \"begin\": ", ",\n      \"end\": ", "\n    }"};
constexpr shape pairs = {"\n    [", ",\n    [", ",", "]"};
constexpr std::size_t longest = objects.before_next.size() + objects.between.size() +
                                objects.after_each.size() + 2 * base::near_numbers::longest;

const char* name_of(list_unit unit) {
  return unit == list_unit::blocks ? "blocks" : unit == list_unit::sectors ? "sectors" : "bytes";
}

void begin(const styled_list& list, base::text& out) {
  base::json_writer json(out);
  json.begin_object();
  put_list_facts(list, json);
  json.text("unit", name_of(list.style.unit));
  json.begin_array("ranges");
}

// The form is known to the compiler, since copies of known length cost little.
template <bool compact>
void put_ranges(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
                bool is_first, base::text& out) {
  constexpr const shape& form = compact ? pairs : objects;
  const run_scale scaled(list);
  base::near_numbers numbers;
  base::same_numbers lengths;
  put_runs(list.blocks, first_word, end_word, longest, out,
           [&](char* at, const block_range& blocks) {
             const block_range run = scaled(blocks);
             at = is_first ? put_text(at, form.before_first) : put_text(at, form.before_next);
             at = put_text(numbers.put(at, run.first), form.between);
             at = compact ? lengths.put(at, run.end - run.first) : numbers.put(at, run.end);
             is_first = false;
             return put_text(at, form.after_each);
           });
}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word, bool at_start,
          base::text& out) {
  if (list.style.compact) {
    put_ranges<true>(list, first_word, end_word, at_start, out);
  } else {
    put_ranges<false>(list, first_word, end_word, at_start, out);
  }
}

void end(const styled_list& list, base::text& out) {
  out << (list.facts.total_blocks > 0 ? "\n  ]" : "]") << "\n}\n";
}

}  // namespace

void put_list_facts(const styled_list& list, base::json_writer& json) {
  const list_facts& facts = list.facts;
  json.text("tool", "era_invalidate");
  json.text("version", ERA_TOOLS_VERSION);
  json.text("file", facts.file);
  json.number("block_size_sectors", facts.geometry.block_size);
  json.number("block_size_bytes", facts.geometry.block_bytes());
  json.number("nr_blocks", facts.geometry.nr_blocks);
  json.text("source", facts.source == metadata_state::snapshot ? "snapshot" : "live");
  json.boolean("current_writeset_open", facts.current_open);
  json.number("current_era", facts.current_era);
  json.number("written_since", facts.written_since);
  if (facts.written_before) {
    json.number("written_before", *facts.written_before);
  } else {
    json.null("written_before");
  }
  json.number("next_since", facts.next_since);
  json.number("origin_bytes", facts.origin_bytes);
  json.number("granularity_bytes", facts.block_bytes);
  json.number("total_blocks", facts.total_blocks);
  json.number("total_bytes", facts.total_bytes);
  json.number("total_ranges", facts.total_ranges);
}

const list_format json_list = {"json", "an object that says all about itself", begin, runs,
                               end,    {.any_unit = true, .compact = true}};

}  // namespace era
