#include "era/xml/xml_reader.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using era::contents_run;

// What a document says, as text.
class event_recorder final : public era::contents_sink {
 public:
  void begin(const era::superblock_facts& facts) override {
    add("superblock", {facts.block_size, facts.nr_blocks, facts.current_era});
  }
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, era::text_position at) override {
    add("writeset", {era, nr_bits});
    writeset_at = at;
  }
  void bits(std::span<const contents_run> runs) override { add_runs("bits", runs); }
  void end_writeset() override { add("end", {}); }
  void eras(std::span<const contents_run> runs) override { add_runs("eras", runs); }
  void bits(era::window_ptr) override { FAIL() << "the reader of XML makes no windows"; }
  void eras(era::window_ptr) override { FAIL() << "the reader of XML makes no windows"; }
  void end() override { ended = true; }

  bool ended = false;
  std::string text;
  std::vector<era::text_position> positions;
  era::text_position writeset_at;
  std::size_t longest_batch = 0;

 private:
  void add(const std::string& what, std::initializer_list<std::uint64_t> numbers) {
    text += what;
    for (const std::uint64_t number : numbers) {
      text += " " + std::to_string(number);
    }
    text += "\n";
  }

  void add_runs(const std::string& what, std::span<const contents_run> runs) {
    longest_batch = std::max(longest_batch, runs.size());
    for (const contents_run& run : runs) {
      add(what, {run.first, run.count, run.value});
      positions.push_back(run.at);
    }
  }
};

// A file in memory that is read from its beginning.
base::file_handle file_of(const std::string& text) {
  base::file_handle file(::memfd_create("xml", MFD_CLOEXEC));
  base::write_all(file.fd(), text.data(), text.size(), "xml");
  ::lseek(file.fd(), 0, SEEK_SET);
  return file;
}

struct reading {
  explicit reading(const std::string& document) {
    const base::file_handle file = file_of(document);
    base::no_progress silent;
    era::read_xml(
        {file.fd(), "doc"}, events, [&](const std::string& remark) { remarks.push_back(remark); },
        silent);
  }
  event_recorder events;
  std::vector<std::string> remarks;
};

std::string events_of(const std::string& document) {
  return reading(document).events.text;
}

std::string refusal_of(const std::string& document) {
  return message_of<base::data_error>([&] { reading got(document); });
}

constexpr const char* start =
    "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"10\" current_era=\"5\">";

std::string with_body(const std::string& body) {
  return std::string(start) + body + "</superblock>";
}
std::string in_writeset(const std::string& body) {
  return with_body("<writeset era=\"4\" nr_bits=\"100\">" + body + "</writeset><era_array/>");
}
std::string in_array(const std::string& body) {
  return with_body("<era_array>" + body + "</era_array>");
}

TEST(xml_reader, hands_the_contents_on_in_order) {
  EXPECT_EQ(
      events_of("<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"10\" current_era=\"5\">\n"
                "  <writeset era=\"4\" nr_bits=\"12\">\n"
                "    <bit block=\"0\" value=\"false\"/>\n"
                "    <bit block=\"11\" value=\"true\"/>\n"
                "  </writeset>\n"
                "  <writeset era=\"5\" nr_bits=\"0\">\n"
                "  </writeset>\n"
                "  <era_array>\n"
                "    <era block=\"0\" era=\"3\"/>\n"
                "    <era block=\"9\" era=\"5\"/>\n"
                "  </era_array>\n"
                "</superblock>\n"),
      "superblock 128 10 5\nwriteset 4 12\nbits 0 1 0\nbits 11 1 1\nend\nwriteset 5 0\nend\n"
      "eras 0 1 3\neras 9 1 5\n");
}

TEST(xml_reader, takes_whatever_one_of_the_peers_takes) {
  const std::string nothing = "superblock 128 10 5\n";
  EXPECT_EQ(events_of("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n" + in_array("")), nothing);
  EXPECT_EQ(events_of("<!DOCTYPE superblock>\n" + in_array("")), nothing);
  EXPECT_EQ(events_of("<!-- a dump -->" + in_array("<!-- of nothing -->")), nothing);
  EXPECT_EQ(events_of("\xEF\xBB\xBF" + in_array("")), nothing);
  EXPECT_EQ(events_of(with_body("<era_array/>")), nothing);
  EXPECT_EQ(events_of(in_array("some text <![CDATA[<more>]]> &amp;")), nothing);
  EXPECT_EQ(events_of(in_array("<era block='3' era='2'></era>")), nothing + "eras 3 1 2\n");
  EXPECT_EQ(events_of(in_array("<era era=\"2\"\n block=\"&#51;\"   />")), nothing + "eras 3 1 2\n");
  EXPECT_EQ(events_of(with_body("<era_array><era block=\"1\" era=\"2\"/></era_array>"
                                "<writeset era=\"4\" nr_bits=\"1\"/>"
                                "<era_array><era block=\"2\" era=\"2\"/></era_array>")),
            nothing + "eras 1 1 2\nwriteset 4 1\nend\neras 2 1 2\n");
}

TEST(xml_reader, takes_runs_of_marked_blocks) {
  EXPECT_EQ(events_of(in_writeset("<marked block_begin=\"3\" len=\"97\"/>"
                                  "<marked block_begin=\"100\" len=\"0\"/>")),
            "superblock 128 10 5\nwriteset 4 100\nbits 3 97 1\nend\n");
}

TEST(xml_reader, takes_numbers_up_to_their_limits) {
  EXPECT_EQ(events_of("<superblock uuid=\"x\" block_size=\"16777216\" nr_blocks=\"2147483647\" "
                      "current_era=\"4294967295\">"
                      "<writeset era=\"4294967295\" nr_bits=\"4294967295\">"
                      "<bit block=\"4294967294\" value=\"true\"/></writeset>"
                      "<era_array><era block=\"2147483646\" era=\"4294967295\"/></era_array>"
                      "</superblock>"),
            "superblock 16777216 2147483647 4294967295\nwriteset 4294967295 4294967295\n"
            "bits 4294967294 1 1\nend\neras 2147483646 1 4294967295\n");
}

TEST(xml_reader, remarks_that_there_is_no_era_array) {
  const reading got(with_body(""));
  EXPECT_EQ(got.remarks,
            std::vector<std::string>{"doc: no <era_array>; the era array is taken as all 0"});
  EXPECT_TRUE(reading(with_body("<era_array/>")).remarks.empty());
}

TEST(xml_reader, remarks_on_each_unknown_attribute_once) {
  const reading got(
      in_array("\n<era block=\"1\" era=\"1\" colour=\"red\"/>"
               "\n<era block=\"2\" era=\"1\" colour=\"blue\"/>"));
  EXPECT_EQ(got.remarks, std::vector<std::string>{
                             "doc: line 2: attribute colour of <era> is unknown and ignored"});
}

TEST(xml_reader, remarks_on_a_bounded_number_of_attributes) {
  std::string tag = "<era block=\"1\" era=\"1\"";
  for (int i = 0; i < 100; ++i) {
    tag += " a" + std::to_string(i) + "=\"\"";
  }
  EXPECT_EQ(reading(in_array(tag + "/>")).remarks.size(), 16U);
}

TEST(xml_reader, tells_where_each_element_stands) {
  const reading got(
      "<superblock uuid=\"\" block_size=\"8\" nr_blocks=\"10\" current_era=\"5\">\n"
      "  <writeset era=\"4\" nr_bits=\"12\">\n"
      "    <bit block=\"0\" value=\"false\"/> <bit block=\"1\" value=\"true\"/>\n"
      "  </writeset></superblock>\n");
  EXPECT_EQ(got.events.writeset_at.line, 2U);
  EXPECT_EQ(got.events.writeset_at.column, 3U);
  ASSERT_EQ(got.events.positions.size(), 2U);
  EXPECT_EQ(got.events.positions[1].line, 3U);
  EXPECT_EQ(got.events.positions[1].column, 36U);
}

TEST(xml_reader, refuses_what_makes_no_sense) {
  struct {
    std::string document;
    std::string reason;
  } const cases[] = {
      {"", "no element found"},
      {"era 5", "syntax error"},
      {"<blocks/>", "<blocks> does not belong here; the document's element is <superblock>"},
      {start, "no element found"},
      {with_body("") + "<superblock/>", "junk after document element"},
      {with_body("<bit block=\"1\" value=\"true\"/>"), "<bit> does not belong inside <superblock>"},
      {with_body("<era block=\"1\" era=\"1\"/>"), "<era> does not belong inside <superblock>"},
      {in_writeset("<era block=\"1\" era=\"1\"/>"), "<era> does not belong inside <writeset>"},
      {in_array("<bit block=\"1\" value=\"true\"/>"), "<bit> does not belong inside <era_array>"},
      {in_array("<era block=\"1\" era=\"1\"><era block=\"2\" era=\"1\"/></era>"),
       "<era> where no element belongs"},
      {in_array("<era block=\"1\" era=\"1\" era=\"1\"/>"), "duplicate attribute"},
      {in_array("<era block=\"1\"/>"), "<era> has no attribute era"},
      {in_array("<era era=\"1\"/>"), "<era> has no attribute block"},
      {in_array("<era block=\"-1\" era=\"1\"/>"), "block is \"-1\", not a number"},
      {in_array("<era block=\"1\" era=\" 1\"/>"), "era is \" 1\", not a number"},
      {in_array("<era block=\"1\" era=\"4294967296\"/>"), "not a number from 0 to 4294967295"},
      {in_array("<era block=\"10\" era=\"1\"/>"), "block 10 of a device with nr_blocks 10"},
      {in_array("<era block=\"1\" era=\"6\"/>"), "era 6 is later than current_era 5"},
      {in_array("<era block=\"1\" era=\"&unknown;\"/>"), "undefined entity"},
      {in_writeset("<bit block=\"1\"/>"), "<bit> has no attribute value"},
      {in_writeset("<bit block=\"1\" value=\"1\"/>"), "value is \"1\", not \"true\" or \"false\""},
      {in_writeset("<bit block=\"1\" value=\"TRUE\"/>"), "not \"true\" or \"false\""},
      {in_writeset("<bit block=\"100\" value=\"false\"/>"),
       "block 100 in a writeset with nr_bits 100"},
      {in_writeset("<marked block_begin=\"3\" len=\"98\"/>"),
       "block 100 in a writeset with nr_bits 100"},
      {in_writeset("<marked block_begin=\"4294967295\" len=\"4294967295\"/>"), "nr_bits 100"},
      {in_writeset("<marked block_begin=\"101\" len=\"0\"/>"), "nr_bits 100"},
      {in_writeset("<marked block_begin=\"3\"/>"), "<marked> has no attribute len"},
      {with_body("<writeset era=\"6\" nr_bits=\"1\"/>"), "era 6 is later than current_era 5"},
      {with_body("<writeset era=\"5\"/>"), "<writeset> has no attribute nr_bits"},
      {with_body("<writeset era=\"5\" nr_bits=\"4294967296\"/>"), "nr_bits is \"4294967296\""},
      {with_body(
           "<writeset era=\"5\" nr_bits=\"1\"><writeset era=\"4\" nr_bits=\"1\"/></writeset>"),
       "<writeset> does not belong inside <writeset>"},
      {"<superblock block_size=\"8\" nr_blocks=\"1\" current_era=\"1\"/>",
       "<superblock> has no attribute uuid"},
      {"<superblock uuid=\"\" nr_blocks=\"1\" current_era=\"1\"/>", "no attribute block_size"},
      {"<superblock uuid=\"\" block_size=\"8\" current_era=\"1\"/>", "no attribute nr_blocks"},
      {"<superblock uuid=\"\" block_size=\"8\" nr_blocks=\"1\"/>", "no attribute current_era"},
      {"<superblock uuid=\"\" block_size=\"0\" nr_blocks=\"1\" current_era=\"1\"/>",
       "block_size 0 is not a positive multiple of 8 sectors"},
      {"<superblock uuid=\"\" block_size=\"12\" nr_blocks=\"1\" current_era=\"1\"/>",
       "block_size 12 is not a positive multiple of 8 sectors"},
      {"<superblock uuid=\"\" block_size=\"8\" nr_blocks=\"2147483648\" current_era=\"1\"/>",
       "nr_blocks is \"2147483648\""},
      {"<!DOCTYPE superblock [<!ENTITY a \"1\">]>" + with_body(""),
       "entity declarations are not accepted"},
      {"<!DOCTYPE superblock SYSTEM \"file:///etc/passwd\">"
       "<superblock uuid=\"\" block_size=\"128&more;\" nr_blocks=\"1\" current_era=\"1\"/>",
       "an entity reference in a document with declarations of its type"},
      {"<!DOCTYPE superblock [%more;]>"
       "<superblock uuid=\"\" block_size=\"128&more;\" nr_blocks=\"1\" current_era=\"1\"/>",
       "an entity reference in a document with declarations of its type"},
      {"<!DOCTYPE superblock [<!ATTLIST era a CDATA \"1\">]>" + with_body(""),
       "attribute declarations are not accepted"},
      {"<!DOCTYPE superblock SYSTEM \"era.dtd\">"
       "<superblock x='>' uuid=\"\" block_size=\"128&more;\" nr_blocks=\"1\" current_era=\"1\"/>",
       "an entity reference in a document with declarations of its type"},
      {with_body("<era_array></writeset>"), "mismatched tag"},
      {with_body(std::string("a\0b", 3)), "not well-formed"},
  };
  for (const auto& one : cases) {
    const std::string message = refusal_of(one.document);
    EXPECT_TRUE(message.starts_with("doc: line ")) << message;
    EXPECT_NE(message.find(one.reason), std::string::npos) << one.document << "\n" << message;
  }
}

TEST(xml_reader, names_line_and_column_of_what_it_refuses) {
  EXPECT_EQ(refusal_of(std::string(start) + "\n  <era_array>\n    <era block=\"10\" era=\"1\"/>"),
            "doc: line 3, column 5: block 10 of a device with nr_blocks 10");
}

TEST(xml_reader, refuses_every_truncated_document) {
  const std::string whole =
      in_writeset("<bit block=\"1\" value=\"true\"/><marked block_begin=\"2\" len=\"3\"/>");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_THROW(reading got(whole.substr(0, size)), base::data_error) << size;
  }
}

TEST(xml_reader, reads_documents_much_longer_than_its_buffers) {
  std::string body;
  std::string expected = "superblock 128 50000 5\n";
  for (int block = 0; block < 50000; ++block) {
    const std::string numbers[] = {std::to_string(block), std::to_string(block % 6)};
    body += "    <era block=\"" + numbers[0] + "\" era=\"" + numbers[1] + "\"/>\n";
    expected += "eras " + numbers[0] + " 1 " + numbers[1] + "\n";
  }
  const reading got(
      "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"50000\" current_era=\"5\"><era_array>" +
      body + "</era_array></superblock>");
  EXPECT_TRUE(got.events.text == expected);
  EXPECT_LE(got.events.longest_batch, 4096U);
}

TEST(xml_reader, takes_long_comments_only_within_bounds) {
  EXPECT_EQ(events_of(in_array("<!--" + std::string(200000, 'x') + "-->")),
            "superblock 128 10 5\n");
  EXPECT_NE(refusal_of(in_array("<!--" + std::string(4 << 20, 'x') + "-->"))
                .find("a tag or comment of more than a million bytes"),
            std::string::npos);
  EXPECT_NE(refusal_of(in_array("<era block=\"" + std::string(4 << 20, '0') + "1\" era=\"1\"/>"))
                .find("a tag or comment of more than a million bytes"),
            std::string::npos);
}

TEST(xml_reader, takes_any_amount_of_text_between_elements) {
  EXPECT_EQ(events_of(in_array(std::string(4 << 20, ' '))), "superblock 128 10 5\n");
}

class throwing_sink final : public era::contents_sink {
 public:
  void begin(const era::superblock_facts&) override {}
  void begin_writeset(std::uint32_t, std::uint32_t, era::text_position) override {}
  void bits(std::span<const contents_run>) override {}
  void end_writeset() override {}
  void eras(std::span<const contents_run>) override {
    ++calls;
    throw std::out_of_range("from the sink");
  }
  void bits(era::window_ptr) override {}
  void eras(era::window_ptr) override {}
  void end() override {}
  int calls = 0;
};

TEST(xml_reader, passes_on_what_its_sink_throws_and_stops) {
  throwing_sink sink;
  const base::file_handle file =
      file_of(with_body("<era_array><era block=\"1\" era=\"1\"/></era_array>"
                        "<era_array><era block=\"2\" era=\"1\"/></era_array>"));
  EXPECT_EQ(message_of<std::out_of_range>([&] {
              base::no_progress silent;
              era::read_xml({file.fd(), "doc"}, sink, {}, silent);
            }),
            "from the sink");
  EXPECT_EQ(sink.calls, 1);
}

TEST(xml_reader, says_that_the_file_cannot_be_read) {
  const base::file_handle folder(::open("/", O_RDONLY | O_DIRECTORY));
  event_recorder events;
  base::no_progress silent;
  EXPECT_THROW(era::read_xml({folder.fd(), "doc"}, events, {}, silent), base::io_error);
}

}  // namespace
