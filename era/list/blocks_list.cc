// The list as lines of numbers, for shells: a block a line.
#include <bit>

#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

void begin(const styled_list&, base::text&) {}

// By words and not by runs: a run may be of any length.
void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  constexpr std::size_t longest = base::near_numbers::longest + 1;
  base::near_numbers numbers;
  for (std::uint64_t i = first_word; i < end_word; ++i) {
    char* at = out.room(pd::bits_per_word * longest);
    for (std::uint64_t word = list.blocks.word(i); word != 0; word &= word - 1) {
      at = numbers.put(at, pd::bits_per_word * i + static_cast<unsigned>(std::countr_zero(word)));
      *at++ = '\n';
    }
    out.end_at(at);
  }
}

void end(const styled_list&, base::text&) {}

}  // namespace

const list_format blocks_list = {
    "blocks", "the number of a block on each line", begin, runs, end, {.every_word = true}};

}  // namespace era
