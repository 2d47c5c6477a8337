// The list as a bmap of version 2.0, which bmaptool copies by: XML, the ends of ranges included.
// Its checksum is that of the whole file with zeros in the checksum's own place; it stands at the
// end, where it is known.
#include "era/list/list_forms.h"
#include "era/list/run_text.h"

namespace era {
namespace {

constexpr std::string_view before = "<Range>";
constexpr std::string_view after = "</Range>\n";
constexpr std::size_t longest = before.size() + after.size() + 1 + 2 * base::near_numbers::longest;

void put_element(base::text& out, std::string_view name, std::uint64_t value) {
  out << "<" << name << "> ";
  out.number(value) << " </" << name << ">\n";
}

void begin(const styled_list& list, base::text& out) {
  out << "<?xml version=\"1.0\" ?>\n<bmap version=\"2.0\">\n";
  put_element(out, "ImageSize", list.facts.origin_bytes);
  put_element(out, "BlockSize", list.facts.block_bytes);
  put_element(out, "BlocksCount", list.facts.nr_list_blocks());
  put_element(out, "MappedBlocksCount", list.facts.total_blocks);
  out << "<ChecksumType> sha256 </ChecksumType>\n<BlockMap>\n";
}

void runs(const styled_list& list, std::uint64_t first_word, std::uint64_t end_word,
          bool /*at_start*/, base::text& out) {
  base::near_numbers numbers;
  put_runs(list.blocks, first_word, end_word, longest, out, [&](char* at, const block_range& run) {
    at = numbers.put(put_text(at, before), run.first);
    if (run.end - run.first > 1) {
      *at++ = '-';
      at = numbers.put(at, run.end - 1);
    }
    return put_text(at, after);
  });
}

void end(const styled_list&, base::text& out) {
  out << "</BlockMap>\n<BmapFileChecksum> " << checksum_place << " </BmapFileChecksum>\n</bmap>\n";
}

}  // namespace

const list_format bmap_list = {
    "bmap", "XML for 'bmaptool copy --bmap'", begin, runs, end, {.checksummed = true}};

}  // namespace era
