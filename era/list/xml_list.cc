// The list as XML, byte for byte as era_invalidate of thin-provisioning-tools 0.9.0 prints it
// (doc/format.md 10.2).
#include "era/list/list_format.h"

namespace era {
namespace {

// One line a run. The spaces around the second = are 0.9.0's; parsers in the wild expect them.
class line_writer {
 public:
  // put() may write to so many bytes, though fewer count.
  static constexpr std::size_t longest = 40 + 2 * base::near_numbers::longest;

  // Returns where the text ends.
  char* put(char* at, const block_range& run) {
    if (run.end - run.first == 1) {
      at = put_number(at, "  <block block=\"", run.first);
    } else {
      at = put_number(at, "  <range begin=\"", run.first);
      at = put_number(at, "\" end = \"", run.end);
    }
    constexpr std::string_view last = "\"/>\n";
    return at + last.copy(at, last.size());
  }

 private:
  char* put_number(char* at, std::string_view before, std::uint64_t number) {
    return numbers_.put(at + before.copy(at, before.size()), static_cast<std::uint32_t>(number));
  }

  base::near_numbers numbers_;
};

void begin(const list_facts&, base::text& out) {
  out << "<blocks>\n";
}

void runs(const written_blocks& blocks, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  line_writer writer;
  written_blocks::room_for_runs room;
  for (std::uint64_t i = first_word; i < end_word; ++i) {
    char* at = out.room(room.size() * line_writer::longest);
    for (const block_range& run : blocks.runs_of_word(i, room)) {
      at = writer.put(at, run);
    }
    out.end_at(at);
  }
}

void end(const list_facts&, base::text& out) {
  out << "</blocks>\n";
}

}  // namespace

const list_format xml_list = {"xml", "what parsers of era_invalidate expect", begin, runs, end};

}  // namespace era
