#include "cache/mapping_xml.h"

#include <fcntl.h>

#include "base/error.h"
#include "base/file_test_support.h"
#include "cache/mapping_test_support.h"

namespace {

using cache::test::mapping_recorder;

const std::string head =
    R"(<superblock uuid="" block_size="64" nr_cache_blocks="512" policy="smq" hint_width="4">)"
    "\n";

std::string with_mappings(const std::string& mappings) {
  return head + "  <mappings>\n" + mappings + "  </mappings>\n</superblock>\n";
}

std::string one_mapping(const std::string& attributes) {
  return with_mappings("    <mapping " + attributes + "/>\n");
}

void read(const std::string& text, mapping_recorder& into) {
  const base::test::temporary_folder folder;
  base::test::write_file(folder / "xml", text);
  const base::file_handle file(::open((folder / "xml").c_str(), O_RDONLY | O_CLOEXEC));
  const base::text_source source{file.fd(), "xml"};
  base::text_pieces pieces(source);
  cache::read_mapping_xml(pieces, into);
}

std::string refusal(const std::string& text) {
  mapping_recorder got;
  try {
    read(text, got);
  } catch (const base::data_error& wrong) {
    return wrong.what();
  }
  return "";
}

TEST(mapping_xml, is_read_as_cache_dump_prints_it) {
  mapping_recorder got;
  read(head +
           R"(  <mappings>
    <mapping cache_block="0" origin_block="12" dirty="false"/>
    <mapping cache_block="511" origin_block="281474976710655" dirty="true"/>
  </mappings>
  <hints>
    <hint cache_block="0" data="AQAAAA=="/>
  </hints>
</superblock>
)",
       got);
  EXPECT_EQ(got.facts.block_size, 64U);
  EXPECT_EQ(got.facts.nr_blocks, 512U);
  EXPECT_FALSE(got.facts.dirty_is_known);
  EXPECT_EQ(got.text(), "0:12* 511:281474976710655* ");
}

TEST(mapping_xml, may_be_of_an_empty_cache) {
  mapping_recorder got;
  read(with_mappings(""), got);
  EXPECT_EQ(got.text(), "");
}

TEST(mapping_xml, is_refused_where_it_is_wrong) {
  const struct {
    std::string text;
    std::string reason;
  } wrong[] = {
      {"", "no element found"},
      {head, "no element found"},
      {head + "</superblock>", "there is no <mappings>"},
      {"<blocks/>", "<blocks> where <superblock> of a cache is expected"},
      {head + "<mapping cache_block='1'/>", "has no"},
      {head + "<hint/>", "<hint> where <mappings> is expected"},
      {with_mappings("<hint/>"), "<hint> where <mapping> is expected"},
      {with_mappings("</mappings><mappings>"), "<mappings> where <hints> is expected"},
      {with_mappings("17"), "text that is in no tag: \"17"},
      {with_mappings("") + "x", "junk after document element"},
      {with_mappings("") + "<superblock/>", "junk after document element"},
      {one_mapping(R"(origin_block="1" dirty="true")"), "<mapping> has no attribute cache_block"},
      {one_mapping(R"(cache_block="1" dirty="true")"), "<mapping> has no attribute origin_block"},
      {one_mapping(R"(cache_block="1" origin_block="1")"), "<mapping> has no attribute dirty"},
      {one_mapping(R"(cache_block="512" origin_block="1" dirty="true")"), "cache block 512 of"},
      {one_mapping(R"(cache_block="-1" origin_block="1" dirty="true")"), "cache_block is \"-1\""},
      {one_mapping(R"(cache_block="1" origin_block="281474976710656" dirty="true")"),
       "origin_block is"},
      {one_mapping(R"(cache_block="1" origin_block="1" dirty="maybe")"), "dirty is \"maybe\""},
      {one_mapping(R"(cache_block="1" origin_block="1" dirty="true" x="")"), "attribute \"x\""},
      {"<!DOCTYPE superblock>" + with_mappings(""), "a document type is not accepted"},
      {R"(<superblock block_size="0" nr_cache_blocks="1">)", "block_size 0 is not"},
      {R"(<superblock block_size="100" nr_cache_blocks="1">)", "block_size 100 is not"},
      {R"(<superblock block_size="64" nr_cache_blocks="4000000000">)", "nr_cache_blocks is"},
      {with_mappings("<mapping cache_block='1' origin_block='1' dirty='true'><mapping/></mapping>"),
       "where the end of the one before is expected"},
      {with_mappings("<!--" + std::string(3 << 20, 'x') + "-->"), "more than a million bytes"},
  };
  for (const auto& one : wrong) {
    const std::string got = refusal(one.text);
    EXPECT_TRUE(got.starts_with("xml: line ")) << got;
    if (one.reason != "has no") {
      EXPECT_NE(got.find(one.reason), std::string::npos) << one.reason << ": " << got;
    }
  }
}

TEST(mapping_xml, that_is_cut_off_is_refused) {
  const std::string text =
      one_mapping(R"(cache_block="1" origin_block="1" dirty="false")") + "\n\n";
  ASSERT_EQ(refusal(text), "");
  for (std::size_t size = 0; size < text.find_last_of('>'); ++size) {
    EXPECT_NE(refusal(text.substr(0, size)), "") << size;
  }
}

TEST(mapping_xml, says_where_what_a_sink_refuses_lies) {
  mapping_recorder got;
  got.conflict_at = 1;
  try {
    read(one_mapping(R"(cache_block="1" origin_block="1" dirty="false")"), got);
    FAIL();
  } catch (const base::data_error& wrong) {
    EXPECT_STREQ(wrong.what(), "xml: line 3, column 5: is not wanted");
  }
}

}  // namespace
