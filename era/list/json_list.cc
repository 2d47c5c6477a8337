// The list as one JSON object that says all about itself: tool and version, what the list is of,
// totals, then the ranges, ends exclusive.
#include "base/json.h"
#include "era/list/list_format.h"

namespace era {
namespace {

// The ranges are one level in; the array itself is opened and closed by hand, as it is printed in
// pieces.
constexpr std::string_view before_first = "\n    {\n      \"begin\": ";
constexpr std::string_view before_next = ",\n    {\n      \"begin\": ";
constexpr std::string_view between = ",\n      \"end\": ";
constexpr std::string_view after_each = "\n    }";
constexpr std::size_t longest =
    before_next.size() + between.size() + after_each.size() + 2 * base::near_numbers::longest;

void begin(const list_facts& facts, base::text& out) {
  base::json_writer json(out);
  json.begin_object();
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
  json.number("next_since", facts.next_since);
  json.number("total_blocks", facts.total_blocks);
  json.number("total_bytes", facts.geometry.bytes_of(facts.total_blocks));
  json.begin_array("ranges");
}

char* put(char* at, std::string_view text) {
  return at + text.copy(at, text.size());
}

void runs(const written_blocks& blocks, std::uint64_t first_word, std::uint64_t end_word,
          bool at_start, base::text& out) {
  base::near_numbers numbers;
  written_blocks::room_for_runs room;
  std::string_view before = at_start ? before_first : before_next;
  for (std::uint64_t i = first_word; i < end_word; ++i) {
    char* at = out.room(room.size() * longest);
    for (const block_range& run : blocks.runs_of_word(i, room)) {
      at = numbers.put(put(at, before), static_cast<std::uint32_t>(run.first));
      at = numbers.put(put(at, between), static_cast<std::uint32_t>(run.end));
      at = put(at, after_each);
      before = before_next;
    }
    out.end_at(at);
  }
}

void end(const list_facts& facts, base::text& out) {
  out << (facts.total_blocks > 0 ? "\n  ]" : "]") << "\n}\n";
}

}  // namespace

const list_format json_list = {"json", "an object that says all about itself", begin, runs, end};

}  // namespace era
