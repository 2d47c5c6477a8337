#include "dump_parser.h"

#include <algorithm>
#include <charconv>
#include <stdexcept>

namespace harness {
namespace {

class parser {
 public:
  parser(std::string_view xml, bool compact) : rest_(xml), compact_(compact) {}

  dump parse() {
    dump result = read_header();
    while (rest_.starts_with("  <writeset ")) {
      result.writesets.push_back(read_writeset());
      if (result.writesets.size() > 1 &&
          result.writesets.back().era <= result.writesets.rbegin()[1].era) {
        fail("eras do not ascend");
      }
    }
    result.era_array = read_era_array(result.nr_blocks);
    expect("</superblock>\n");
    if (!rest_.empty()) {
      fail("more after the end");
    }
    return result;
  }

 private:
  dump read_header() {
    dump result{};
    expect("<superblock uuid=\"\" block_size=\"");
    result.block_size = number32();
    expect("\" nr_blocks=\"");
    result.nr_blocks = number32();
    expect("\" current_era=\"");
    result.current_era = number32();
    expect("\">\n");
    return result;
  }

  dumped_writeset read_writeset() {
    dumped_writeset result{};
    expect("  <writeset era=\"");
    result.era = number32();
    expect("\" nr_bits=\"");
    result.bits.resize(number32());
    expect("\">\n");
    std::uint64_t next = 0;
    while (accept("    <bit block=\"")) {
      const auto block = place(next, result.bits.size());
      expect("\" value=\"");
      result.bits[block] = accept("true");
      if (!result.bits[block]) {
        expect("false");
      }
      leave_out_if_compact(!result.bits[block]);
      expect("\"/>\n");
    }
    all_named(next, result.bits.size());
    expect("  </writeset>\n");
    return result;
  }

  std::vector<std::uint32_t> read_era_array(std::uint64_t nr_blocks) {
    std::vector<std::uint32_t> eras(nr_blocks, 0);
    expect("  <era_array>\n");
    std::uint64_t next = 0;
    while (accept("    <era block=\"")) {
      const auto block = place(next, nr_blocks);
      expect("\" era=\"");
      eras[block] = number32();
      leave_out_if_compact(eras[block] == 0);
      expect("\"/>\n");
    }
    all_named(next, nr_blocks);
    expect("  </era_array>\n");
    return eras;
  }

  // The block of an element. `next` is the first one that it may be, and moves past it.
  std::uint64_t place(std::uint64_t& next, std::uint64_t end) {
    const std::uint64_t block = number32();
    if (block < next || block >= end || (!compact_ && block != next)) {
      fail("a block out of order");
    }
    next = block + 1;
    return block;
  }

  void all_named(std::uint64_t next, std::uint64_t end) const {
    if (!compact_ && next != end) {
      fail("too few elements");
    }
  }

  void leave_out_if_compact(bool empty) const {
    if (compact_ && empty) {
      fail("an element that a compact dump leaves out");
    }
  }

  std::uint32_t number32() {
    std::uint32_t number = 0;
    const auto [end, error] = std::from_chars(rest_.data(), rest_.data() + rest_.size(), number);
    if (error != std::errc()) {
      fail("no number");
    }
    rest_.remove_prefix(static_cast<std::size_t>(end - rest_.data()));
    return number;
  }

  bool accept(std::string_view text) {
    if (!rest_.starts_with(text)) {
      return false;
    }
    rest_.remove_prefix(text.size());
    return true;
  }

  void expect(std::string_view text) {
    if (!accept(text)) {
      fail("expected '" + std::string(text) + "'");
    }
  }

  [[noreturn]] void fail(const std::string& what) const {
    throw std::runtime_error("dump: " + what + " at '" + std::string(rest_.substr(0, 80)) + "'");
  }

  std::string_view rest_;
  bool compact_;
};

}  // namespace

std::vector<std::uint32_t> dump::fold() const {
  auto eras = era_array;
  for (const auto& writeset : writesets) {
    const auto end = std::min<std::uint64_t>(writeset.bits.size(), nr_blocks);
    for (std::uint64_t block = 0; block < end; ++block) {
      if (writeset.bits[block]) {
        eras[block] = std::max(eras[block], writeset.era);
      }
    }
  }
  return eras;
}

dump parse_dump(std::string_view xml) {
  return parser(xml, false).parse();
}

dump parse_compact_dump(std::string_view xml) {
  return parser(xml, true).parse();
}

}  // namespace harness
