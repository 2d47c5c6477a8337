#include "era/list/list_format.h"

#include <algorithm>
#include <array>

#include "base/ordered_printer.h"
#include "base/sha256.h"
#include "era/list/list_forms.h"

namespace era {
namespace {

// Words that are looked at for one piece of text.
constexpr std::uint64_t words_in_a_piece = 1024;

constexpr std::array<const list_format*, 9> formats = {&xml_list,      &json_list,   &rbd_diff_list,
                                                       &ddrescue_list, &extent_list, &bmap_list,
                                                       &blocks_list,   &ranges_list, &bitmap_list};

// The end of a list that ends with a checksum of itself, `so_far` being that of all before.
std::string checksummed(std::string_view end, base::sha256& so_far) {
  so_far.add(end);
  std::string text(end);
  const std::size_t at = text.find(checksum_place);
  return text.replace(at, checksum_place.size(), so_far.hexadecimal());
}

}  // namespace

std::span<const list_format* const> list_formats() {
  return formats;
}

void print_list(const list_format& format, const styled_list& list, base::output& out,
                base::progress& progress) {
  progress.begin("printing", 0);
  std::optional<base::sha256> checksum;
  base::ordered_printer printer(out);
  if (format.can.checksummed) {
    checksum.emplace();
    printer.also([&checksum](std::string_view piece) { checksum->add(piece); });
  }
  printer.put([&format, &list](base::text& text) { format.begin(list, text); });
  const std::uint64_t nr_words = list.blocks.nr_words();
  const std::uint64_t first_word = list.blocks.first_from(0) / pd::bits_per_word;
  std::uint64_t end = 0;
  for (std::uint64_t first = format.can.every_word ? 0 : first_word; first < nr_words;
       first = end) {
    end = std::min(first + words_in_a_piece, nr_words);
    printer.put([&format, &list, first, end, at_start = first <= first_word](base::text& text) {
      format.runs(list, first, end, at_start, text);
    });
    progress.at(std::min(end * pd::bits_per_word, list.blocks.nr_blocks()),
                list.blocks.nr_blocks());
  }
  printer.finish();
  base::text last;
  format.end(list, last);
  if (checksum) {
    out << checksummed(last.view(), *checksum);
  } else {
    out << last.view();
  }
}

}  // namespace era
