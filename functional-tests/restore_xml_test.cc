// The XML that era_restore takes: all that either peer takes, and nothing else. Each document is
// also read with an XML declaration before it, since a document in the plain form of a dump may be
// read by other means.
#include <regex>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::EndsWith;
using fixtures::bench;
using fixtures::call;
using fixtures::document;

using words = std::vector<std::string>;

const char* const declaration = "<?xml version=\"1.0\"?>";

std::string head_of(unsigned long current_era) {
  return R"(<superblock uuid="" block_size="128" nr_blocks="100" current_era=")" +
         std::to_string(current_era) + R"(">)";
}

const std::string head = head_of(4);

// The current era is the latest writeset's, so that none is missing; without any it is 5.
std::string with_head(const std::string& inside) {
  static const std::regex writeset("<writeset [^>]*era=.([0-9]+)");
  unsigned long latest = 0;
  for (std::sregex_iterator at(inside.begin(), inside.end(), writeset), end; at != end; ++at) {
    latest = std::max(latest, std::stoul((*at)[1]));
  }
  return head_of(latest == 0 ? 5 : latest) + inside + "</superblock>\n";
}

// What with_head() should become.
document with(const std::vector<fixtures::writeset>& writesets,
              const std::map<std::uint32_t, std::uint32_t>& eras) {
  return {128, 100, writesets.empty() ? 5 : writesets.back().era, writesets, eras};
}

harness::result restore(const bench& bench, const std::string& xml, words options = {}) {
  harness::write_file(bench.xml, xml);
  options.insert(options.end(), {"-i", bench.xml, "-o", bench.device});
  return call("era_restore", options);
}

void check_accepted(const bench& bench, const std::string& xml, const document& expected) {
  harness::make_zeroed(bench.device, 1 << 20);
  const auto result = restore(bench, xml);
  CHECK(result.status == 0);
  CHECK(result.out == "");
  CHECK(result.err == "");
  CHECK(call("era_check", {bench.device}).status == 0);
  CHECK(call("era_dump", {bench.device}).out == expected.xml());
}

// Restoring `xml` over older metadata is refused with a message that gives the line (any, if 0), a
// column and all of `facts`; the older metadata is as it was, or gone for everybody to see.
void check_refused(const bench& bench, const std::string& xml, int line, const words& facts = {}) {
  static const auto older = [&bench] {
    fixtures::restore(fixtures::example().xml(), bench.device, 64 * fixtures::block_bytes);
    return harness::read_file(bench.device);
  }();
  harness::write_file(bench.device, older);
  const auto result = restore(bench, xml);
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, EndsWith("\n"));
  CHECK(result.err.size() < 4096);
  INFO(result.err);
  const auto place = "line " + (line == 0 ? "[0-9]+" : std::to_string(line)) + "\\b";
  CHECK(std::regex_search(result.err, std::regex(place)));
  CHECK(std::regex_search(result.err, std::regex("column [0-9]+")));
  for (const auto& fact : facts) {
    CHECK_THAT(result.err, Contains(fact));
  }
  CHECK((harness::read_file(bench.device) == older ||
         fixtures::holds_interrupted_restore(bench.device)));
}

// A good document, of which the tests replace one line.
const words good_lines = {
    "",  // lines are counted from 1
    head,
    R"(  <writeset era="4" nr_bits="100">)",
    R"(    <bit block="7" value="true"/>)",
    "  </writeset>",
    "  <era_array>",
    R"(    <era block="3" era="2"/>)",
    "  </era_array>",
    "</superblock>",
};

std::string with_line(std::size_t line, const std::string& text) {
  std::string xml;
  for (std::size_t i = 1; i < good_lines.size(); ++i) {
    xml += (i == line ? text : good_lines[i]) + '\n';
  }
  return xml;
}

struct bad_line {
  int line;
  std::string text;
  words facts;
};

void check_refused(const std::vector<bad_line>& lines) {
  const bench bench;
  for (const auto& bad : lines) {
    const auto xml = with_line(static_cast<std::size_t>(bad.line), bad.text);
    for (const std::string before : {"", declaration}) {
      DYNAMIC_SECTION(before << " line " << bad.line << ": " << bad.text.substr(0, 200)) {
        check_refused(bench, before + xml, bad.line, bad.facts);
      }
    }
  }
}

std::string utf16(const std::string& text) {
  std::string wide = "\xff\xfe";
  for (const char c : text) {
    wide += c;
    wide += '\0';
  }
  return wide;
}

struct good_document {
  std::string what;
  std::string xml;
  document expected;
};

void check_accepted(const std::vector<good_document>& documents) {
  const bench bench;
  for (const auto& good : documents) {
    DYNAMIC_SECTION(good.what) {
      check_accepted(bench, good.xml, good.expected);
    }
    DYNAMIC_SECTION(good.what << ", after a declaration") {
      check_accepted(bench, declaration + good.xml, good.expected);
    }
  }
}

}  // namespace

TEST_CASE("restore reads the document that the refused ones are made of") {
  const bench bench;
  check_accepted(bench, with_line(0, ""), with({{4, 100, {7}}}, {{3, 2}}));
}

TEST_CASE("restore takes what may stand before the document") {
  const bench bench;
  const auto& expected = fixtures::example();
  const std::string start = GENERATE(
      "<?xml version='1.0' encoding='UTF-8'?>\n", "<?xml version='1.0' encoding='ISO-8859-1'?>\n",
      "<?xml version='1.0' standalone='yes'?>", "<!DOCTYPE superblock>\n",
      "<!DOCTYPE superblock SYSTEM \"no-such-file.dtd\">", "\n\n  <!-- a comment -->\n",
      "<?xml version='1.0' encoding='ISO-8859-1'?><!-- \xe4 -->", "\xef\xbb\xbf",
      "<!DOCTYPE superblock [<!ELEMENT superblock ANY>]>", "<?a processing instruction?>");
  INFO(start);
  check_accepted(bench, start + expected.xml(), expected);
}

TEST_CASE("restore takes UTF-16") {
  const bench bench;
  check_accepted(bench, utf16(fixtures::example().xml()), fixtures::example());
}

TEST_CASE("restore takes what may stand between elements") {
  check_accepted({
      {"comments", with_head("<!-- 1 --><era_array><!-- <era block='1' era='1'/> --></era_array>"),
       with({}, {})},
      {"processing instructions", with_head("<?a b?><era_array/>"), with({}, {})},
      {"text", with_head("some text<era_array>and more</era_array>1234 &amp; &#65;"), with({}, {})},
      {"character data", with_head("<![CDATA[<bit/>]]><era_array/>"), with({}, {})},
      {"no white space",
       with_head(R"(<era_array><era block="0" era="1"/><era block="1" era="2"/></era_array>)"),
       with({}, {{0, 1}, {1, 2}})},
      {"much white space",
       with_head("\n\n\t \r\n <era_array >\r\n<era\n  block = \"1\"\n\tera\t=\n\"2\"\n/>\r\n"
                 "</era_array\n>\n"),
       with({}, {{1, 2}})},
      {"trailing comment", with_head("<era_array/>") + "<!-- the end -->\n\n", with({}, {})},
  });
}

TEST_CASE("restore takes both forms of a tag and of quotes, and attributes in any order") {
  check_accepted({
      {"empty writeset and array", with_head(R"(<writeset era="2" nr_bits="5"/><era_array/>)"),
       with({{2, 5, {}}}, {})},
      {"start and end tags",
       with_head(R"(<writeset era="2" nr_bits="5"><bit block="1" value="true"></bit></writeset>)"
                 R"(<era_array><era block="9" era="1"> </era></era_array>)"),
       with({{2, 5, {1}}}, {{9, 1}})},
      {"single quotes", with_head("<era_array><era block='9' era='1'/></era_array>"),
       with({}, {{9, 1}})},
      {"attributes in another order",
       R"(<superblock current_era="2" nr_blocks="100" block_size="128" uuid="">)"
       R"(<writeset nr_bits="5" era="2"><bit value="true" block="3"/>)"
       R"(<marked len="1" block_begin="4"/></writeset>)"
       R"(<era_array><era era="1" block="9"/></era_array></superblock>)",
       with({{2, 5, {3, 4}}}, {{9, 1}})},
      {"character references",
       with_head(R"(<writeset era="2" nr_bits="&#x35;"><bit block="1" value="&#116;rue"/>)"
                 R"(</writeset><era_array><era block="&#49;&#50;" era="1"/></era_array>)"),
       with({{2, 5, {1}}}, {{12, 1}})},
      {"a uuid, which is lost",
       R"(<superblock uuid="a &lt;b&gt; 'c'" block_size="128" nr_blocks="100" current_era="5">)"
       "<era_array/></superblock>",
       with({}, {})},
  });
}

TEST_CASE("restore takes bits and eras in any order, and most of them may be missing") {
  check_accepted({
      {"bits",
       with_head(R"(<writeset era="2" nr_bits="100"><bit block="70" value="true"/>)"
                 R"(<bit block="3" value="true"/><bit block="99" value="true"/>)"
                 R"(<bit block="64" value="false"/><bit block="0" value="true"/></writeset>)"
                 "<era_array/>"),
       with({{2, 100, {0, 3, 70, 99}}}, {})},
      {"eras",
       with_head(R"(<era_array><era block="99" era="5"/><era block="0" era="1"/>)"
                 R"(<era block="50" era="0"/><era block="49" era="3"/></era_array>)"),
       with({}, {{0, 1}, {49, 3}, {99, 5}})},
      {"writesets",
       with_head(R"(<writeset era="5" nr_bits="2"><bit block="1" value="true"/></writeset>)"
                 R"(<writeset era="4" nr_bits="3"/><writeset era="3" nr_bits="1"/><era_array/>)"),
       with({{3, 1, {}}, {4, 3, {}}, {5, 2, {1}}}, {})},
      {"writesets after the array",
       with_head(R"(<era_array><era block="1" era="1"/></era_array>)"
                 R"(<writeset era="4" nr_bits="2"><bit block="1" value="true"/></writeset>)"),
       with({{4, 2, {1}}}, {{1, 1}})},
  });
}

TEST_CASE("restore takes every size that a writeset may have") {
  check_accepted({
      {"none", with_head(R"(<writeset era="2" nr_bits="0"></writeset><era_array></era_array>)"),
       with({{2, 0, {}}}, {})},
      {"fewer bits than blocks",
       with_head(R"(<writeset era="2" nr_bits="65"><bit block="64" value="true"/></writeset>)"
                 "<era_array/>"),
       with({{2, 65, {64}}}, {})},
      {"more bits than blocks",
       with_head(R"(<writeset era="2" nr_bits="300"><bit block="299" value="true"/></writeset>)"
                 "<era_array/>"),
       with({{2, 300, {299}}}, {})},
      {"no blocks at all",
       R"(<superblock uuid="" block_size="8" nr_blocks="0" current_era="0"><era_array/>)"
       "</superblock>",
       {8, 0, 0, {}, {}}},
      {"the largest numbers",
       R"(<superblock uuid="" block_size="4294967288" nr_blocks="1" current_era="4294967295">)"
       R"(<writeset era="4294967295" nr_bits="1"><bit block="0" value="true"/></writeset>)"
       R"(<era_array><era block="0" era="4294967294"/></era_array></superblock>)",
       {4294967288, 1, 4294967295, {{4294967295, 1, {0}}}, {{0, 4294967294}}}},
  });
}

TEST_CASE("restore takes marked runs, across words too") {
  const bench bench;
  const auto [begin, length] = GENERATE(table<std::uint32_t, std::uint32_t>(
      {{0, 1}, {60, 11}, {63, 2}, {0, 64}, {64, 64}, {1, 250}, {100, 200}, {299, 1}, {0, 300}}));
  INFO("marked " << begin << " + " << length);
  fixtures::writeset run = {3, 300, {}};
  for (std::uint32_t i = 0; i < length; ++i) {
    run.bits.insert(begin + i);
  }
  const auto xml = with_head("<writeset era=\"3\" nr_bits=\"300\"><marked block_begin=\"" +
                             std::to_string(begin) + "\" len=\"" + std::to_string(length) +
                             "\"/></writeset><era_array/>");
  check_accepted(bench, xml, with({run}, {}));
}

TEST_CASE("restore takes marked runs and bits side by side, in any order") {
  check_accepted({
      {"mixed",
       with_head(R"(<writeset era="3" nr_bits="300"><marked block_begin="200" len="3"/>)"
                 R"(<bit block="203" value="false"/><bit block="199" value="true"/>)"
                 R"(<marked block_begin="126" len="3"/><bit block="1" value="true"/></writeset>)"
                 "<era_array/>"),
       with({{3, 300, {1, 126, 127, 128, 199, 200, 201, 202}}}, {})},
  });
}

TEST_CASE("restore ignores an unknown attribute and says so") {
  const bench bench;
  const auto [line, text] = GENERATE(table<std::size_t, std::string>({
      {1, R"(<superblock uuid="" colour="1" block_size="128" nr_blocks="100" current_era="4">)"},
      {2, R"(<writeset era="4" nr_bits="100" colour="1">)"},
      {3, R"(<bit colour="1" block="7" value="true"/>)"},
      {5, R"(<era_array colour="1">)"},
      {6, R"(<era block="3" colour="1" era="2"/>)"},
  }));
  INFO(text);
  const auto xml = with_line(line, text);
  const auto result = restore(bench, xml);
  CHECK(result.status == 0);
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains("colour"));
  CHECK_THAT(result.err, Contains("line " + std::to_string(line)));
  CHECK(fixtures::dump(bench.device) == with({{4, 100, {7}}}, {{3, 2}}).xml());

  const auto quiet = restore(bench, xml, {"-q"});
  CHECK(quiet.status == 0);
  CHECK(quiet.out + quiet.err == "");
}

TEST_CASE("restore refuses a bad superblock element, and nothing is written") {
  const auto superblock = [](const std::string& attributes) {
    return "<superblock " + attributes + ">";
  };
  check_refused({
      {1, superblock(R"(block_size="128" nr_blocks="100" current_era="5")"), {"uuid"}},
      {1, superblock(R"(uuid="" nr_blocks="100" current_era="5")"), {"block_size"}},
      {1, superblock(R"(uuid="" block_size="128" current_era="5")"), {"nr_blocks"}},
      {1, superblock(R"(uuid="" block_size="128" nr_blocks="100")"), {"current_era"}},
      {1, superblock(R"(uuid="" uuid="" block_size="8" nr_blocks="9" current_era="5")"), {}},
      {1, superblock(R"(uuid="" block_size="0" nr_blocks="100" current_era="5")"), {"block_size"}},
      {1, superblock(R"(uuid="" block_size="4" nr_blocks="100" current_era="5")"), {"block_size"}},
      {1, superblock(R"(uuid="" block_size="12" nr_blocks="9" current_era="5")"), {"12"}},
      {1, superblock(R"(uuid="" block_size="8" nr_blocks="0" current_era="5")"), {"nr_blocks"}},
      {1,
       superblock(R"(uuid="" block_size="4294967288" nr_blocks="2147483647" current_era="5")"),
       {"more bytes than a device can have"}},
      {1, superblock(R"(uuid="" block_size="-8" nr_blocks="9" current_era="5")"), {"-8"}},
      {1, superblock(R"(uuid="" block_size="" nr_blocks="9" current_era="5")"), {"block_size"}},
      {1, superblock(R"(uuid="" block_size="8 " nr_blocks="9" current_era="5")"), {"block_size"}},
      {1,
       superblock(R"(uuid="" block_size="4294967296" nr_blocks="9" current_era="5")"),
       {"4294967296"}},
      {1,
       superblock(R"(uuid="" block_size="8" nr_blocks="2147483648" current_era="5")"),
       {"2147483648"}},
      {1,
       superblock(R"(uuid="" block_size="8" nr_blocks="4294967297" current_era="5")"),
       {"4294967297"}},
      {1, superblock(R"(uuid="" block_size="8" nr_blocks="-1" current_era="5")"), {"-1"}},
      {1,
       superblock(R"(uuid="" block_size="8" nr_blocks="9" current_era="4294967296")"),
       {"4294967296"}},
      {1, superblock(R"(uuid="" block_size="8" nr_blocks="9" current_era="1e3")"), {"1e3"}},
      {1, superblock(R"(uuid="" block_size="8" nr_blocks="9" current_era="0x5")"), {"0x5"}},
      {1, R"(<thin uuid="" block_size="8" nr_blocks="100" current_era="5">)", {"thin"}},
      {1, R"(<era_array>)", {"era_array"}},
      {1, R"(<bit block="1" value="true"/>)", {"bit"}},
  });
}

TEST_CASE("an output that was not yet begun stays as it was") {
  const bench bench;
  fixtures::restore(fixtures::example().xml(), bench.device);
  const auto before = harness::read_file(bench.device);
  const std::string bad = GENERATE(
      "", " ", "<superblock", "<superblock uuid=\"\"", "garbage",
      "<superblock uuid='' block_size='7' nr_blocks='9' current_era='5'><era_array/></superblock>",
      "<superblock uuid='' block_size='8' nr_blocks='9'><era_array/></superblock>",
      "<superblock uuid='' block_size='8' nr_blocks='2147483648' current_era='5'>", "<other/>",
      "<!DOCTYPE a [<!ENTITY b 'c'>]>");
  INFO(bad);
  CHECK(restore(bench, bad).status == 1);
  CHECK((harness::read_file(bench.device) == before));
}

TEST_CASE("restore refuses a bad writeset") {
  check_refused({
      {2, R"(<writeset nr_bits="100">)", {"era"}},
      {2, R"(<writeset era="4">)", {"nr_bits"}},
      {2, R"(<writeset era="4" era="3" nr_bits="100">)", {}},
      {2, R"(<writeset era="77" nr_bits="100">)", {"77"}},
      {2, R"(<writeset era="4294967296" nr_bits="100">)", {"4294967296"}},
      {2, R"(<writeset era="-4" nr_bits="100">)", {"-4"}},
      {2, R"(<writeset era="4" nr_bits="4294967296">)", {"4294967296"}},
      {2, R"(<writeset era="4" nr_bits="many">)", {"many"}},
      {2, R"(<writesets era="4" nr_bits="100">)", {"writesets"}},
      {3, R"(<writeset era="3" nr_bits="100"/>)", {"writeset"}},
      {4, R"(</writeset><writeset era="4" nr_bits="100"/>)", {"era"}},
      {7, R"(</era_array><writeset era="4" nr_bits="100"></writeset>)", {"era"}},
      {6, R"(<writeset era="3" nr_bits="100"/>)", {"writeset"}},
  });
}

TEST_CASE("restore refuses a bad bit") {
  check_refused({
      {3, R"(<bit value="true"/>)", {"block"}},
      {3, R"(<bit block="1"/>)", {"value"}},
      {3, R"(<bit block="1" block="1" value="true"/>)", {}},
      {3, R"(<bit block="100" value="true"/>)", {"100"}},
      {3, R"(<bit block="100" value="false"/>)", {"100"}},
      {3, R"(<bit block="4294967297" value="true"/>)", {"4294967297"}},
      {3, R"(<bit block="18446744073709551617" value="true"/>)", {"18446744073709551617"}},
      {3, R"(<bit block="-1" value="true"/>)", {"-1"}},
      {3, R"(<bit block="" value="true"/>)", {"block"}},
      {3, R"(<bit block="1" value="yes"/>)", {"yes"}},
      {3, R"(<bit block="1" value="1"/>)", {"value"}},
      {3, R"(<bit block="1" value="TRUE"/>)", {"TRUE"}},
      {3, R"(<bit block="1" value=""/>)", {"value"}},
      {3, R"(<bits block="1" value="true"/>)", {"bits"}},
      {3, R"(<era block="1" era="1"/>)", {"era"}},
      {3, R"(<bit block="1" value="true"><bit block="2" value="true"/></bit>)", {"bit"}},
      {5, R"(<bit block="1" value="true"/><era_array>)", {"bit"}},
      {6, R"(<bit block="1" value="true"/>)", {"bit"}},
      {5, R"(<marked block_begin="1" len="2"/><era_array>)", {"marked"}},
  });
}

TEST_CASE("restore refuses a bad run") {
  check_refused({
      {3, R"(<marked len="2"/>)", {"block_begin"}},
      {3, R"(<marked block_begin="2"/>)", {"len"}},
      {3, R"(<marked block_begin="99" len="2"/>)", {"100"}},
      {3, R"(<marked block_begin="100" len="1"/>)", {"100"}},
      {3, R"(<marked block_begin="0" len="4294967296"/>)", {"4294967296"}},
      {3, R"(<marked block_begin="1" len="4294967295"/>)", {"4294967295"}},
      {3, R"(<marked block_begin="50" len="-1"/>)", {"-1"}},
  });
}

TEST_CASE("restore refuses a block given twice") {
  const auto bit = [](int block, const std::string& value) {
    return "<bit block=\"" + std::to_string(block) + "\" value=\"" + value + "\"/>";
  };
  const auto era = [](int block, int value) {
    return "<era block=\"" + std::to_string(block) + "\" era=\"" + std::to_string(value) + "\"/>";
  };
  check_refused({
      {3, bit(71, "true") + bit(71, "true"), {"71"}},
      {3, bit(71, "true") + bit(71, "false"), {"71"}},
      {3, bit(71, "false") + bit(71, "true"), {"71"}},
      {3, bit(71, "false") + bit(71, "false"), {"71"}},
      {3, bit(71, "true") + bit(3, "true") + bit(71, "true"), {"71"}},
      {3, bit(71, "false") + bit(99, "true") + bit(71, "true"), {"71"}},
      {3, bit(71, "false") + bit(3, "false") + bit(71, "false"), {"71"}},
      {3, bit(71, "true") + R"(<marked block_begin="70" len="3"/>)", {"70"}},
      {3, bit(71, "false") + R"(<marked block_begin="60" len="30"/>)", {"60"}},
      {3, R"(<marked block_begin="70" len="3"/>)" + bit(71, "false"), {"71"}},
      {3, R"(<marked block_begin="60" len="12"/><marked block_begin="71" len="3"/>)", {"71"}},
      {6, era(71, 2) + era(71, 2), {"71"}},
      {6, era(71, 2) + era(71, 3), {"71"}},
      {6, era(71, 0) + era(71, 0), {"71"}},
      {6, era(71, 0) + era(71, 1), {"71"}},
      {6, era(71, 2) + era(3, 1) + era(71, 2), {"71"}},
      {6, era(71, 0) + era(3, 0) + era(71, 0), {"71"}},
      {6, era(71, 1) + era(99, 1) + era(71, 0), {"71"}},
  });
}

TEST_CASE("restore refuses a bad era") {
  check_refused({
      {6, R"(<era era="1"/>)", {"block"}},
      {6, R"(<era block="1"/>)", {"era"}},
      {6, R"(<era block="1" era="1" era="1"/>)", {}},
      {6, R"(<era block="100" era="1"/>)", {"100"}},
      {6, R"(<era block="100" era="0"/>)", {"100"}},
      {6, R"(<era block="4294967296" era="1"/>)", {"4294967296"}},
      {6, R"(<era block="1" era="6"/>)", {}},
      {6, R"(<era block="1" era="77"/>)", {"77"}},
      {6, R"(<era block="1" era="4294967297"/>)", {"4294967297"}},
      {6, R"(<era block="1" era="-2"/>)", {"-2"}},
      {6, R"(<era block="1" era="two"/>)", {"two"}},
      {6, R"(<eras block="1" era="1"/>)", {"eras"}},
      {6, R"(<marked block_begin="1" len="2"/>)", {"marked"}},
      {6, R"(<era_array/>)", {"era_array"}},
      {5, R"(<era block="1" era="1"/><era_array>)", {"era"}},
      {7, R"(</era_array><era block="1" era="1"/>)", {"era"}},
  });
}

TEST_CASE("restore refuses what is not an XML document of this kind") {
  check_refused({
      {4, "  <writeset>", {}},
      {4, "  </era_array>", {}},
      {5, "  <array>", {"array"}},
      {7, "  </era_array><superblock/>", {"superblock"}},
      {7, "  </era_array>&undeclared;", {}},
      {8, "</superblock></superblock>", {}},
      {8, "</superblock><superblock/>", {}},
      {8, "</superblock>more", {}},
      {3, "<bit block=\"1\" value=\"tr<ue\"/>", {}},
      {3, "<bit block=\"1\" value=true/>", {}},
      {3, "<bit block=\"1\"value=\"true\"/>", {}},
      {3, "<!-- -- -->", {}},
      {3, "\x01", {}},
      {3, "\xff\xfe", {}},
      {3, std::string(1, '\0'), {}},
      {3, "<bit block=\"" + std::string(1 << 20, '1') + "\" value=\"true\"/>", {}},
  });
}

TEST_CASE("restore refuses entity declarations") {
  const bench bench;
  std::string laughs = "<!DOCTYPE superblock [<!ENTITY a0 \"ha\">";
  for (int i = 1; i < 20; ++i) {
    const auto previous = "&a" + std::to_string(i - 1) + ";";
    laughs += "<!ENTITY a" + std::to_string(i) + " \"";
    for (int j = 0; j < 10; ++j) {
      laughs += previous;
    }
    laughs += "\">";
  }
  laughs += "]>";
  const std::string start = GENERATE_REF(
      values<std::string>({"<!DOCTYPE superblock [<!ENTITY a \"1\">]>",
                           "<!DOCTYPE superblock [<!ENTITY a SYSTEM \"/etc/hostname\">]>",
                           "<!DOCTYPE superblock [<!ENTITY % a \"1\">]>", laughs}));
  INFO(start);
  check_refused(bench, start + fixtures::example().xml(), 1);
}

TEST_CASE("restore refuses input without any document") {
  const bench bench;
  const auto [xml, line] =
      GENERATE_REF(table<std::string, int>({{"", 0},
                                            {"\n\n\n", 0},
                                            {declaration, 0},
                                            {"not XML\n", 1},
                                            {std::string(100000, '\0'), 0},
                                            {harness::read_file(bench.metadata), 0}}));
  INFO(xml.substr(0, 30));
  check_refused(bench, xml, line);
}

TEST_CASE("restore refuses a document that ends early, wherever that is", "[slow]") {
  const bench bench;
  const auto xml = fixtures::example().xml();
  const auto complete = xml.size() - 1;  // without the final newline
  for (const std::string before : {"", declaration}) {
    for (std::size_t length = 0; length < complete; length += 13) {
      INFO(before << " cut at " << length);
      check_refused(bench, before + xml.substr(0, length), 0);
    }
    for (std::size_t end = complete - 30; end < complete; ++end) {
      INFO(before << " cut at " << end);
      check_refused(bench, before + xml.substr(0, end), 0);
    }
    check_accepted(bench, before + xml.substr(0, complete), fixtures::example());
  }
}

TEST_CASE("restore refuses deep nesting without a crash") {
  const bench bench;
  const auto repeated = [](const std::string& text, int times) {
    std::string all;
    for (int i = 0; i < times; ++i) {
      all += text;
    }
    return all;
  };
  SECTION("of unknown elements") {
    check_refused(bench, repeated("<hedgehog>", 1000000), 1, {"hedgehog"});
  }
  SECTION("of unknown elements inside") {
    check_refused(bench, head + repeated("<hedgehog>", 1000000), 1, {"hedgehog"});
  }
  SECTION("of writesets") {
    check_refused(bench, head + repeated(R"(<writeset era="1" nr_bits="1">)", 100000), 1,
                  {"writeset"});
  }
  SECTION("of superblocks") {
    check_refused(bench, repeated(head, 100000), 1, {"superblock"});
  }
}

TEST_CASE("a document may leave the form of a dump anywhere", "[slow]") {
  const bench bench;
  document large;
  large.nr_blocks = 3000;
  large.current_era = 9;
  large.writesets = {{8, 3000, {0, 1, 1500, 2999}}, {9, 3000, {7}}};
  for (std::uint32_t block = 0; block < 3000; block += 7) {
    large.eras[block] = block % 8;
  }
  const auto xml = large.xml();
  const int after = GENERATE(1, 2, 100, 3001, 3003, 6006, 9005, 9006);
  INFO("after line " << after);
  std::size_t at = 0;
  for (int line = 0; line < after; ++line) {
    at = xml.find('\n', at) + 1;
  }
  SECTION("and is read right") {
    for (const std::string inserted : {"<!-- c -->", " ", "\n\n", "text", "<?pi?>"}) {
      INFO(inserted);
      check_accepted(bench, xml.substr(0, at) + inserted + xml.substr(at), large);
    }
  }
  SECTION("and what is wrong is found where it is") {
    for (const std::string inserted : {"<unknown/>", "<!-- c --><unknown/>", "&unknown;", "<"}) {
      INFO(inserted);
      check_refused(bench, xml.substr(0, at) + inserted + xml.substr(at), after + 1);
    }
  }
}
