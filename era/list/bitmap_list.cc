// The list as raw bytes, for programs: one bit a block, the least significant of a byte first; the
// last byte is filled up with zeros.
#include "base/bytes.h"
#include "era/list/list_forms.h"

namespace era {
namespace {

void begin(const styled_list&, base::text&) {}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  char* at = out.room((end_word - first_word) * pd::word_size);
  for (std::uint64_t i = first_word; i < end_word; ++i) {
    base::put_le64(reinterpret_cast<std::byte*>(at), list.blocks.word(i));
    const std::uint64_t bits_left = list.blocks.nr_blocks() - i * pd::bits_per_word;
    at += std::min<std::uint64_t>(pd::word_size, base::ceil_div(bits_left, 8));
  }
  out.end_at(at);
}

void end(const styled_list&, base::text&) {}

}  // namespace

const list_format bitmap_list = {"bitmap", "raw, one bit a block, least significant first",
                                 begin,    runs,
                                 end,      {.every_word = true}};

}  // namespace era
