#include "era/xml_writer.h"

namespace era {

void xml_writer::begin_superblock(std::uint32_t block_size, std::uint32_t nr_blocks,
                                  std::uint32_t current_era) {
  out_ << "<superblock uuid=\"\" block_size=\"";
  out_.number(block_size) << "\" nr_blocks=\"";
  out_.number(nr_blocks) << "\" current_era=\"";
  out_.number(current_era) << "\">\n";
}

void xml_writer::end_superblock() {
  out_ << "</superblock>\n";
}

void xml_writer::begin_writeset(std::uint32_t era, std::uint32_t nr_bits) {
  out_ << "  <writeset era=\"";
  out_.number(era) << "\" nr_bits=\"";
  out_.number(nr_bits) << "\">\n";
}

void xml_writer::end_writeset() {
  out_ << "  </writeset>\n";
}

void xml_writer::bits(std::uint64_t first, std::uint64_t count,
                      std::span<const std::uint64_t> words) {
  for (std::uint64_t i = 0; i < count; ++i) {
    const bool set = (words[i / 64] >> i % 64 & 1) != 0;
    if (!set && compact_) {
      continue;
    }
    out_ << "    <bit block=\"";
    out_.number(first + i) << (set ? "\" value=\"true\"/>\n" : "\" value=\"false\"/>\n");
  }
}

void xml_writer::begin_era_array() {
  out_ << "  <era_array>\n";
}

void xml_writer::end_era_array() {
  out_ << "  </era_array>\n";
}

void xml_writer::eras(std::uint64_t first, std::span<const std::uint32_t> eras) {
  for (std::size_t i = 0; i < eras.size(); ++i) {
    if (eras[i] == 0 && compact_) {
      continue;
    }
    out_ << "    <era block=\"";
    out_.number(first + i) << "\" era=\"";
    out_.number(eras[i]) << "\"/>\n";
  }
}

}  // namespace era
