#include "era/list/list_format.h"

#include <algorithm>
#include <array>
#include <utility>

#include "base/ordered_printer.h"
#include "era/read/plausibility.h"

namespace era {
namespace {

// Words that are looked at for one piece of text.
constexpr std::uint64_t words_in_a_piece = 1024;

constexpr std::array<const list_format*, 2> formats = {&xml_list, &json_list};

// An open era goes on collecting writes; a closed one does not. A snapshot holds all before its
// current era.
std::uint32_t next_since(const metadata& from) {
  const std::uint32_t era = from.superblock.current_era;
  const bool goes_on = from.is_snapshot() || from.has_current || era == UINT32_MAX;
  return goes_on ? era : era + 1;
}

}  // namespace

written_list list_written_blocks(metadata_file& from, metadata_state which, std::uint32_t since,
                                 problem_sink& problems) {
  metadata found = from.load(which, problems);
  require_possible(found, since, from.name());
  if (report_missing_eras(found, since, problems)) {
    found.lost_writesets = true;  // tolerated: any block may have been written then
  }
  era_reader eras(found, problems);
  written_blocks blocks(eras, since, found.superblock.nr_blocks);
  from.require_held(found);

  list_facts facts;
  facts.file = from.name();
  facts.geometry = {found.superblock.data_block_size, found.superblock.nr_blocks};
  facts.source = which;
  facts.current_open = found.has_current;
  facts.current_era = found.superblock.current_era;
  facts.written_since = since;
  facts.next_since = next_since(found);
  facts.total_blocks = blocks.size();
  return {facts, std::move(blocks)};
}

std::span<const list_format* const> list_formats() {
  return formats;
}

void print_list(const list_format& format, const written_list& list, base::output& out) {
  base::ordered_printer printer(out);
  printer.put([&format, &list](base::text& text) { format.begin(list.facts, text); });
  const std::uint64_t first_word = list.blocks.first_word();
  std::uint64_t end = 0;
  for (std::uint64_t first = first_word; first < list.blocks.nr_words(); first = end) {
    end = std::min(first + words_in_a_piece, list.blocks.nr_words());
    printer.put([&format, &list, first, end, at_start = first == first_word](base::text& text) {
      format.runs(list.blocks, first, end, at_start, text);
    });
  }
  printer.put([&format, &list](base::text& text) { format.end(list.facts, text); });
  printer.finish();
}

}  // namespace era
