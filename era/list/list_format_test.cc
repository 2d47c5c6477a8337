#include <gtest/gtest.h>

#include <bit>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file_test_support.h"
#include "base/sha256.h"
#include "era/list/list_forms.h"
#include "era/list/list_test_support.h"
#include "era/read/metadata_test_support.h"

namespace {

using era::list_format;
using era::list_unit;
using era::styled_list;
using era::test::list_of_bits;

std::string printed(const list_format& format, const styled_list& list) {
  const base::test::temporary_folder folder;
  base::output out(folder / "list");
  base::no_progress silent;
  print_list(format, list, out, silent);
  out.commit();
  return base::test::read_file(folder / "list");
}

using runs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

// Begin and end.
runs runs_in(const std::vector<bool>& bits) {
  runs all;
  for (std::size_t i = 0, end; i < bits.size(); i = end) {
    for (end = i; end < bits.size() && bits[end]; ++end) {
    }
    if (end > i) {
      all.emplace_back(i, end);
    } else {
      ++end;
    }
  }
  return all;
}

// The same in bytes of a device that ends in the middle of its last block.
runs in_bytes(const styled_list& list, const runs& blocks) {
  runs all;
  for (const auto& [begin, end] : blocks) {
    all.emplace_back(begin * 65536, std::min(end * 65536, list.facts.origin_bytes));
  }
  return all;
}

runs runs_in_json(const std::string& text) {
  runs all;
  const nlohmann::json document = nlohmann::json::parse(text);
  for (const auto& range : document.at("ranges")) {
    if (range.is_array()) {
      all.emplace_back(range.at(0),
                       range.at(0).get<std::uint64_t>() + range.at(1).get<std::uint64_t>());
    } else {
      all.emplace_back(range.at("begin"), range.at("end"));
    }
  }
  return all;
}

runs runs_in_rbd_diff(const std::string& text) {
  runs all;
  for (const auto& extent : nlohmann::json::parse(text)) {
    EXPECT_EQ(extent.at("exists"), "true");
    const auto offset = extent.at("offset").get<std::uint64_t>();
    all.emplace_back(offset, offset + extent.at("length").get<std::uint64_t>());
  }
  return all;
}

// Lines of two numbers; the second is an end, or a length.
runs runs_in_lines(const std::string& text, bool lengths) {
  runs all;
  std::istringstream lines(text);
  for (std::uint64_t first, second; lines >> first >> second;) {
    all.emplace_back(first, lengths ? first + second : second);
  }
  return all;
}

runs runs_in_bmap(const std::string& text) {
  runs all;
  const std::string before = "<Range>";
  for (std::size_t at = text.find(before); at != std::string::npos; at = text.find(before, at)) {
    std::size_t length = 0;
    at += before.size();
    const std::uint64_t first = std::stoull(text.substr(at, 40), &length);
    const bool is_one = text[at + length] == '<';
    all.emplace_back(first, (is_one ? first : std::stoull(text.substr(at + length + 1, 40))) + 1);
  }
  return all;
}

// The pieces that are marked + in a mapfile, which must cover the device without a gap.
runs runs_in_mapfile(const std::string& text, std::uint64_t device) {
  runs all;
  std::istringstream lines(text);
  std::uint64_t covered = 0;
  bool has_status = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("#")) {
      continue;
    }
    if (!std::exchange(has_status, true)) {
      EXPECT_EQ(line, "0x0 + 1");
      continue;
    }
    std::istringstream words(line);
    std::uint64_t position = 0;
    std::uint64_t size = 0;
    std::string mark;
    words >> std::hex >> position >> size >> mark;
    EXPECT_EQ(position, covered);
    EXPECT_GT(size, 0U);
    covered += size;
    if (mark == "+") {
      all.emplace_back(position, covered);
    } else {
      EXPECT_EQ(mark, "?");
    }
  }
  EXPECT_EQ(covered, device);
  return all;
}

std::vector<bool> bits_in_bitmap(const std::string& bytes, std::size_t nr_bits) {
  std::vector<bool> bits;
  for (const char c : bytes) {
    for (int bit = 0; bit < 8; ++bit) {
      bits.push_back((static_cast<unsigned char>(c) >> bit & 1) != 0);
    }
  }
  EXPECT_EQ(bits.size(), (nr_bits + 7) / 8 * 8);
  bits.resize(nr_bits);
  return bits;
}

std::string blocks_as_lines(const std::vector<bool>& bits) {
  std::string text;
  for (std::size_t i = 0; i < bits.size(); ++i) {
    if (bits[i]) {
      text += std::to_string(i) + '\n';
    }
  }
  return text;
}

// Every form says the same of these bits.
void expect_alike_in_every_form(const std::vector<bool>& bits) {
  styled_list list = list_of_bits(bits);
  const runs blocks = runs_in(bits);
  const runs bytes = in_bytes(list, blocks);
  const std::string json = printed(era::json_list, list);
  EXPECT_EQ(runs_in_json(json), blocks);
  EXPECT_EQ(nlohmann::json::parse(json).at("total_ranges"), blocks.size());
  EXPECT_EQ(runs_in_lines(printed(era::ranges_list, list), false), blocks);
  EXPECT_EQ(runs_in_bmap(printed(era::bmap_list, list)), blocks);
  EXPECT_EQ(printed(era::blocks_list, list), blocks_as_lines(bits));
  EXPECT_EQ(bits_in_bitmap(printed(era::bitmap_list, list), bits.size()), bits);
  EXPECT_EQ(runs_in_rbd_diff(printed(era::rbd_diff_list, list)), bytes);
  EXPECT_EQ(runs_in_lines(printed(era::extent_list, list), true), bytes);
  EXPECT_EQ(runs_in_mapfile(printed(era::ddrescue_list, list), list.facts.origin_bytes), bytes);
  list.style = {list_unit::bytes, true};
  EXPECT_EQ(runs_in_json(printed(era::json_list, list)), bytes);
  EXPECT_EQ(runs_in_lines(printed(era::ranges_list, list), false), bytes);
}

TEST(list_format, xml_has_the_bytes_that_parsers_expect) {
  std::vector<bool> bits(200);
  bits[0] = bits[1] = bits[5] = true;
  std::fill(bits.begin() + 60, bits.end(), true);
  EXPECT_EQ(printed(era::xml_list, list_of_bits(bits)),
            "<blocks>\n"
            "  <range begin=\"0\" end = \"2\"/>\n"
            "  <block block=\"5\"/>\n"
            "  <range begin=\"60\" end = \"200\"/>\n"
            "</blocks>\n");
}

TEST(list_format, every_form_can_be_of_nothing) {
  for (const std::size_t nr_blocks :
       {std::size_t{0}, std::size_t{1}, std::size_t{64}, std::size_t{100}}) {
    const std::vector<bool> none(nr_blocks);
    EXPECT_EQ(printed(era::xml_list, list_of_bits(none)), "<blocks>\n</blocks>\n");
    EXPECT_EQ(printed(era::rbd_diff_list, list_of_bits(none)), "[]\n");
    expect_alike_in_every_form(none);
  }
}

TEST(list_format, every_form_can_be_of_all) {
  for (const std::size_t nr_blocks : {1, 63, 64, 65, 100000}) {
    expect_alike_in_every_form(std::vector<bool>(nr_blocks, true));
  }
}

TEST(list_format, every_form_has_every_run_whichever_piece_it_begins_in) {
  for (const unsigned of_100 : {1U, 20U, 60U, 97U}) {
    std::mt19937_64 random(of_100);
    std::vector<bool> bits = era::test::random_bits(300000, of_100, random);
    // Nothing in the first pieces, and a run across several of them.
    std::fill(bits.begin(), bits.begin() + 70000, false);
    std::fill(bits.begin() + 100000, bits.begin() + 250000, true);
    expect_alike_in_every_form(bits);
  }
}

TEST(list_format, bmap_has_the_checksum_of_itself) {
  std::vector<bool> bits(300000);
  for (std::size_t i = 0; i < bits.size(); i += 3) {
    bits[i] = true;
  }
  std::string text = printed(era::bmap_list, list_of_bits(bits));
  const std::string before = "<BmapFileChecksum> ";
  const std::size_t at = text.find(before) + before.size();
  const std::string checksum = text.substr(at, 64);
  text.replace(at, 64, std::string(64, '0'));
  base::sha256 expected;
  expected.add(text);
  EXPECT_EQ(checksum, expected.hexadecimal());
}

TEST(list_format, compact_json_has_a_pair_on_each_line) {
  std::vector<bool> bits(10);
  bits[1] = bits[2] = bits[9] = true;
  styled_list list = list_of_bits(bits);
  list.style.compact = true;
  const std::string text = printed(era::json_list, list);
  EXPECT_TRUE(text.ends_with("  \"ranges\": [\n    [1,2],\n    [9,1]\n  ]\n}\n")) << text;
}

TEST(list_format, names_are_those_of_the_table) {
  std::string names;
  for (const list_format* const format : era::list_formats()) {
    names += std::string(format->name) + " ";
  }
  EXPECT_EQ(names, "xml json rbd-diff ddrescue extentlist bmap blocks ranges bitmap ");
}

}  // namespace
