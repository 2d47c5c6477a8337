#include "era/rollback/list_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using era::changed_blocks;

changed_blocks read(const std::string& text,
                    std::optional<std::uint32_t> block_size = std::nullopt) {
  const base::test::temporary_folder folder;
  base::test::write_file(folder / "list", text);
  const base::file_handle file(::open((folder / "list").c_str(), O_RDONLY | O_CLOEXEC));
  const base::text_source source{file.fd(), "list"};
  base::text_pieces pieces(source);
  return era::read_list(pieces, block_size);
}

// What is said of a list that is refused; empty if it is not.
std::string refusal(const std::string& text,
                    std::optional<std::uint32_t> block_size = std::nullopt) {
  try {
    read(text, block_size);
  } catch (const base::data_error& wrong) {
    return wrong.what();
  }
  return "";
}

std::string runs_of(const changed_blocks& list) {
  std::string text;
  era::written_blocks::room_for_runs room;
  for (std::uint64_t i = 0; i < list.blocks.nr_words(); ++i) {
    for (const era::block_range& run : list.blocks.runs_of_word(i, room)) {
      text += std::to_string(run.first) + "-" + std::to_string(run.end) + " ";
    }
  }
  return text;
}

std::string json_with(const std::string& total, const std::string& ranges,
                      const std::string& more = "") {
  return R"({
  "tool": "era_invalidate",
  "file": "m",
  "block_size_bytes": 65536,
  "nr_blocks": 300,
  "current_writeset_open": false,
  "written_since": 4,
  )" + more +
         R"("total_blocks": )" + total + R"(,
  "ranges": )" +
         ranges + "\n}\n";
}

const std::string objects = R"([{"begin": 1, "end": 3}, {"begin": 63, "end": 200}])";
const std::string pairs = "[\n    [1,2],\n    [63,137]\n  ]";

TEST(list_reader, reads_json_with_objects_and_with_pairs) {
  for (const std::string& ranges : {objects, pairs}) {
    const changed_blocks list = read(json_with("139", ranges));
    EXPECT_EQ(runs_of(list), "1-3 63-200 ");
    EXPECT_EQ(list.name, "list");
    EXPECT_EQ(list.block_size, 128U);
    EXPECT_EQ(list.origin_sectors, 300U * 128);
    EXPECT_EQ(list.written_since, 4U);
  }
  EXPECT_EQ(runs_of(read(json_with("0", "[]"))), "");
  EXPECT_EQ(runs_of(read(json_with("300", "[[0,300]]"))), "0-300 ");
}

TEST(list_reader, passes_over_members_that_it_does_not_know) {
  const std::string more = R"("x": {"ranges": [1, {"a": [null, 1.5, -3, true, "s"]}]}, "y": [], )";
  EXPECT_EQ(runs_of(read(json_with("139", pairs, more))), "1-3 63-200 ");
}

TEST(list_reader, reads_units_and_granularity) {
  EXPECT_EQ(runs_of(read(json_with("2", "[[128,256]]", R"("unit": "sectors", )"))), "1-3 ");
  EXPECT_EQ(runs_of(read(json_with("2", "[[65536,131072]]", R"("unit": "bytes", )"))), "1-3 ");
  EXPECT_EQ(runs_of(read(json_with("2", "[[1,2]]", R"("unit": "blocks", )"))), "1-3 ");
  // The last block is partial: its range ends where the origin does.
  const std::string partial = R"("origin_bytes": 19595264, )";  // 299 blocks and a sector less
  EXPECT_EQ(runs_of(read(json_with("1", "[[298,1]]", partial))), "298-299 ");
  EXPECT_EQ(runs_of(read(json_with("1", R"([{"begin": 19529728, "end": 19595264}])",
                                   partial + R"("unit": "bytes", )"))),
            "298-299 ");
  const changed_blocks fine = read(json_with("32", "[[32,32]]", R"("granularity_bytes": 4096, )"));
  EXPECT_EQ(fine.block_size, 8U);
  EXPECT_EQ(runs_of(fine), "32-64 ");
}

TEST(list_reader, reads_xml) {
  const changed_blocks list = read(
      "<blocks>\n  <range begin=\"1\" end = \"3\"/>\n  <block block=\"9\"/>\n</blocks>\n", 200);
  EXPECT_EQ(runs_of(list), "1-3 9-10 ");
  EXPECT_EQ(list.block_size, 200U);
  EXPECT_EQ(list.origin_sectors, std::nullopt);
  EXPECT_EQ(runs_of(read("<blocks>\n</blocks>\n", 8)), "");
}

TEST(list_reader, xml_needs_a_block_size) {
  EXPECT_THROW(read("<blocks>\n</blocks>\n"), era::block_size_unknown);
}

TEST(list_reader, a_block_size_that_is_given_must_be_that_of_the_list) {
  EXPECT_EQ(refusal(json_with("139", pairs), 128), "");
  EXPECT_EQ(refusal(json_with("139", pairs), 64), "list: its blocks have 128 sectors, not 64");
}

TEST(list_reader, refuses_totals_that_the_ranges_do_not_add_up_to) {
  for (const char* const total : {"0", "138", "140", "139.0", "-139", "\"139\"", "null"}) {
    EXPECT_NE(refusal(json_with(total, pairs)), "") << total;
  }
  EXPECT_EQ(refusal(json_with("138", pairs)),
            "list: the ranges hold 139 blocks, but total_blocks is 138");
}

TEST(list_reader, refuses_ranges_that_make_no_sense) {
  for (const char* const ranges : {"[[1,2],[63,0],[64,137]]",
                                   "[[63,137],[1,2]]",
                                   "[[1,3],[2,136]]",
                                   "[[1,2],[163,138]]",
                                   "[[1],[2,137]]",
                                   "[[1,2,3]]",
                                   "[[1,-2]]",
                                   "[[1,2.5]]",
                                   "[[1,\"2\"]]",
                                   "[[1,[2]]]",
                                   "[1,2]",
                                   "[null]",
                                   "{\"a\": 1}",
                                   "7",
                                   "\"\"",
                                   "null",
                                   "[[1,18446744073709551615]]",
                                   "[[1,18446744073709551616]]",
                                   R"([{"begin": 1, "length": 3}])",
                                   R"([{"begin": 1}])",
                                   R"([{"begin": 1, "begin": 2, "end": 3}])",
                                   R"([{"begin": 1, "end": 3, "x": 3}])"}) {
    EXPECT_TRUE(refusal(json_with("139", ranges)).starts_with("list: ")) << ranges;
  }
}

TEST(list_reader, refuses_what_is_missing_or_given_twice) {
  const std::string sound = json_with("139", pairs);
  for (const std::string name : {"block_size_bytes", "nr_blocks", "total_blocks", "ranges"}) {
    std::string without = sound;
    without.replace(without.find(name), 1, "x");
    EXPECT_NE(refusal(without), "") << name;
    const std::string value = name == "ranges" ? "[]" : "300";
    EXPECT_NE(refusal(json_with("139", pairs, "\"" + name + "\": " + value + ", ")), "") << name;
  }
}

TEST(list_reader, refuses_numbers_that_are_not_those_of_a_device) {
  for (const char* const more :
       {R"("granularity_bytes": 0, )", R"("granularity_bytes": 1000, )", R"("unit": "cubits", )",
        R"("unit": 3, )", R"("origin_bytes": 99999999999, )", R"("origin_bytes": "many", )"}) {
    EXPECT_NE(refusal(json_with("139", pairs, more)), "") << more;
  }
  const auto sizes = [](const std::string& block_size, const std::string& nr_blocks) {
    return "{\"block_size_bytes\": " + block_size + ", \"nr_blocks\": " + nr_blocks +
           ", \"total_blocks\": 0, \"ranges\": []}";
  };
  EXPECT_EQ(refusal(sizes("512", "5")), "");
  EXPECT_NE(refusal(sizes("0", "5")), "");
  EXPECT_NE(refusal(sizes("1000", "5")), "");
  EXPECT_NE(refusal(sizes("512", "2147483648")), "");
  EXPECT_NE(refusal(sizes("9223372036854775808", "5")), "");
}

TEST(list_reader, refuses_a_list_that_leaves_out_what_was_written_later) {
  EXPECT_EQ(refusal(json_with("139", pairs, "\"written_before\": null, ")), "");
  EXPECT_EQ(refusal(json_with("139", pairs, "\"written_before\": 9, ")),
            "list: leaves out what was written in era 9 or later, which is stale as well");
}

TEST(list_reader, refuses_the_report_of_a_failure) {
  EXPECT_EQ(refusal(R"({"tool": "era_invalidate", "version": "1", "file": "m", "error": "m: No"})"),
            "list: is not a list, but says why there is none: m: No");
  EXPECT_NE(refusal(json_with("139", pairs, "\"error\": \"x\", ")), "");
}

TEST(list_reader, refuses_what_is_no_list) {
  EXPECT_EQ(refusal(""), "list: is empty, not a list that era_invalidate printed");
  EXPECT_EQ(refusal("17\n"),
            "list: is neither JSON nor XML, not a list that era_invalidate printed");
  EXPECT_NE(refusal("{}"), "");
  EXPECT_NE(refusal("<superblock/>", 8), "");
  EXPECT_NE(refusal("<blocks><other/></blocks>", 8), "");
  EXPECT_NE(refusal("<blocks><block block='1'><block block='2'/></block></blocks>", 8), "");
  EXPECT_NE(refusal("<blocks><block/></blocks>", 8), "");
  EXPECT_NE(refusal("<blocks><range begin='3' end='2'/></blocks>", 8), "");
  EXPECT_NE(refusal("<blocks><block block='3'/><block block='3'/></blocks>", 8), "");
  EXPECT_NE(refusal("<blocks><block block='2147483647'/></blocks>", 8), "");
}

TEST(list_reader, refuses_a_list_that_is_cut_off_anywhere) {
  const std::string xml =
      "<blocks>\n  <range begin=\"1\" end = \"3\"/>\n  <block block=\"9\"/>\n</blocks>";
  for (const std::string& text : {json_with("139", pairs), json_with("139", objects), xml}) {
    ASSERT_EQ(refusal(text, 128), "");
    for (std::size_t size = 0; size + 1 < text.find_last_not_of('\n') + 1; ++size) {
      ASSERT_NE(refusal(text.substr(0, size), 128), "") << size;
    }
    EXPECT_NE(refusal(text + "x", 128), "");
    EXPECT_NE(refusal(text + text, 128), "");
  }
}

TEST(list_reader, hostile_text_takes_no_memory) {
  EXPECT_NE(refusal(json_with("139", pairs, "\"x\": \"" + std::string(3 << 20, 'x') + "\", ")), "");
  EXPECT_NE(refusal("{\"x\":" + std::string(100000, '[')), "");
}

TEST(list_reader, reads_a_list_of_many_pieces) {
  std::string ranges = "[";
  std::string runs;
  for (unsigned i = 0; i < 100000; ++i) {
    ranges += (i > 0 ? ",\n    [" : "\n    [") + std::to_string(3 * i) + ",2]";
    runs += std::to_string(3 * i) + "-" + std::to_string(3 * i + 2) + " ";
  }
  std::string text = json_with("200000", ranges + "]");
  text.replace(text.find("300,"), 4, "300000,");
  EXPECT_EQ(runs_of(read(text)), runs);
}

}  // namespace
