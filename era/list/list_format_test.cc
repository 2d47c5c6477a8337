#include "era/list/list_format.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/file_test_support.h"
#include "era/read/metadata_test_support.h"

namespace {

using era::written_blocks;
using era::written_list;

written_list list_of(const std::vector<bool>& bits) {
  std::vector<std::uint64_t> words(base::ceil_div(bits.size(), 64));
  for (std::size_t i = 0; i < bits.size(); ++i) {
    words[i / 64] |= std::uint64_t{bits[i]} << i % 64;
  }
  written_list list{{}, written_blocks(std::move(words), bits.size())};
  list.facts.geometry = {128, static_cast<std::uint32_t>(bits.size())};
  list.facts.total_blocks = list.blocks.size();
  return list;
}

std::string printed(const era::list_format& format, const written_list& list) {
  const base::test::temporary_folder folder;
  base::output out(folder / "list");
  print_list(format, list, out);
  out.commit();
  return base::test::read_file(folder / "list");
}

using runs = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

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

runs runs_in_json(const std::string& text) {
  runs all;
  const nlohmann::json document = nlohmann::json::parse(text);
  for (const auto& range : document.at("ranges")) {
    all.emplace_back(range.at("begin"), range.at("end"));
  }
  return all;
}

TEST(list_format, xml_has_the_bytes_that_parsers_expect) {
  std::vector<bool> bits(200);
  bits[0] = bits[1] = bits[5] = true;
  std::fill(bits.begin() + 60, bits.end(), true);
  EXPECT_EQ(printed(era::xml_list, list_of(bits)),
            "<blocks>\n"
            "  <range begin=\"0\" end = \"2\"/>\n"
            "  <block block=\"5\"/>\n"
            "  <range begin=\"60\" end = \"200\"/>\n"
            "</blocks>\n");
}

TEST(list_format, every_form_can_be_of_nothing) {
  EXPECT_EQ(printed(era::xml_list, list_of(std::vector<bool>(100))), "<blocks>\n</blocks>\n");
  EXPECT_EQ(runs_in_json(printed(era::json_list, list_of(std::vector<bool>(100)))), runs());
  EXPECT_EQ(runs_in_json(printed(era::json_list, list_of({}))), runs());
}

TEST(list_format, json_has_every_run_whichever_piece_it_begins_in) {
  for (const unsigned of_100 : {1U, 20U, 60U, 97U}) {
    std::mt19937_64 random(of_100);
    std::vector<bool> bits = era::test::random_bits(300000, of_100, random);
    // Nothing in the first pieces, and a run across several of them.
    std::fill(bits.begin(), bits.begin() + 70000, false);
    std::fill(bits.begin() + 100000, bits.begin() + 250000, true);
    const written_list list = list_of(bits);
    const std::string text = printed(era::json_list, list);
    EXPECT_EQ(runs_in_json(text), runs_in(bits));
    EXPECT_EQ(nlohmann::json::parse(text).at("total_blocks"), list.blocks.size());
    EXPECT_EQ(nlohmann::json::parse(text).at("total_bytes"), list.blocks.size() * 65536);
  }
}

TEST(list_format, names_are_those_of_the_table) {
  ASSERT_EQ(era::list_formats().size(), 2U);
  EXPECT_STREQ(era::list_formats()[0]->name, "xml");
  EXPECT_STREQ(era::list_formats()[1]->name, "json");
}

}  // namespace
