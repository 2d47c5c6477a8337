#include "era/xml/xml_formatter.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace era {
namespace {

// Room is taken for so many lines at once. No line is longer than this many bytes, with what
// copies of fixed size leave after it.
constexpr std::uint32_t lines_at_once = 4096;
constexpr std::size_t longest_line = 16 + base::near_numbers::longest + 24;

struct bit_end {
  std::uint32_t length;
  char text[20];
};
constexpr bit_end bit_ends[] = {{18, "\" value=\"false\"/>\n"}, {17, "\" value=\"true\"/>\n"}};

char* put_head(base::near_numbers& blocks, char* at, const char (&head)[17], std::uint32_t block) {
  std::memcpy(at, head, 16);
  return blocks.put(at + 16, block);
}

char* put_bit(base::near_numbers& blocks, char* at, std::uint32_t block, bool set) {
  at = put_head(blocks, at, "    <bit block=\"", block);
  const bit_end& end = bit_ends[set];
  std::memcpy(at, end.text, sizeof end.text);
  return at + end.length;
}

}  // namespace

xml_formatter::xml_formatter(base::text& out, bool compact) : out_(out), compact_(compact) {
  for (std::uint32_t i = 0; i < era_ends_.size(); ++i) {
    spell(era_ends_[i], i);
  }
}

void xml_formatter::begin_superblock(const superblock_facts& facts) {
  out_ << "<superblock uuid=\"\" block_size=\"";
  out_.number(facts.block_size) << "\" nr_blocks=\"";
  out_.number(facts.nr_blocks) << "\" current_era=\"";
  out_.number(facts.current_era) << "\">\n";
}

void xml_formatter::end_superblock() {
  out_ << "</superblock>\n";
}

void xml_formatter::begin_writeset(std::uint32_t era, std::uint32_t nr_bits) {
  out_ << "  <writeset era=\"";
  out_.number(era) << "\" nr_bits=\"";
  out_.number(nr_bits) << "\">\n";
}

void xml_formatter::end_writeset() {
  out_ << "  </writeset>\n";
}

void xml_formatter::bits(std::uint32_t first, std::uint32_t count,
                         std::span<const std::uint64_t> words) {
  for (std::uint32_t done = 0; done < count; done += 64) {
    char* at = out_.room(64 * longest_line);
    std::uint64_t word = words[done / 64];
    const std::uint32_t here = std::min(64U, count - done);
    if (compact_) {
      if (here < 64) {
        word &= (std::uint64_t{1} << here) - 1;
      }
      for (; word != 0; word &= word - 1) {
        const auto bit = static_cast<std::uint32_t>(std::countr_zero(word));
        at = put_bit(blocks_, at, first + done + bit, true);
      }
    } else {
      for (std::uint32_t bit = 0; bit < here; ++bit) {
        at = put_bit(blocks_, at, first + done + bit, (word >> bit & 1) != 0);
      }
    }
    out_.end_at(at);
  }
}

void xml_formatter::begin_era_array() {
  out_ << "  <era_array>\n";
}

void xml_formatter::end_era_array() {
  out_ << "  </era_array>\n";
}

void xml_formatter::eras(std::uint32_t first, std::span<const std::uint32_t> eras) {
  while (!eras.empty()) {
    const auto here = eras.first(std::min<std::size_t>(eras.size(), lines_at_once));
    char* at = out_.room(here.size() * longest_line);
    for (std::uint32_t i = 0; i < here.size(); ++i) {
      if (compact_ && here[i] == 0) {
        continue;
      }
      at = put_head(blocks_, at, "    <era block=\"", first + i);
      era_end& end = era_ends_[here[i] % era_ends_.size()];
      if (end.era != here[i]) {
        spell(end, here[i]);
      }
      std::memcpy(at, end.text.data(), end.text.size());
      at += end.length;
    }
    out_.end_at(at);
    first += static_cast<std::uint32_t>(here.size());
    eras = eras.subspan(here.size());
  }
}

void xml_formatter::spell(era_end& end, std::uint32_t era) {
  constexpr std::string_view before = "\" era=\"";
  constexpr std::string_view after = "\"/>\n";
  char* at = end.text.data() + before.copy(end.text.data(), before.size());
  at = std::to_chars(at, end.text.data() + end.text.size(), era).ptr;
  at += after.copy(at, after.size());
  end.era = era;
  end.length = static_cast<std::uint32_t>(at - end.text.data());
}

}  // namespace era
