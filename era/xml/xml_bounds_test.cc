// What bounds time and memory by the length of a document, and where a document ends.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "era/xml/xml_reader.h"

namespace {

using base::test::message_of;

constexpr const char* start =
    "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"10\" current_era=\"5\">";

// Remembers that it heard of the end, and counts what came before.
class counting_sink : public era::contents_sink {
 public:
  void begin(const era::superblock_facts&) override {}
  void begin_writeset(std::uint32_t, std::uint32_t, era::text_position) override {}
  void bits(std::span<const era::contents_run> runs) override { count(runs); }
  void end_writeset() override {}
  void eras(std::span<const era::contents_run> runs) override { count(runs); }
  void bits(era::window_ptr) override {}
  void eras(era::window_ptr) override {}
  void end() override { ended = true; }

  bool ended = false;
  std::uint64_t blocks = 0;
  era::text_position last;

 private:
  void count(std::span<const era::contents_run> runs) {
    for (const auto& run : runs) {
      blocks += run.count;
      last = run.at;
    }
  }
};

base::file_handle file_of(const std::string& text) {
  base::file_handle file(::memfd_create("xml", MFD_CLOEXEC));
  base::write_all(file.fd(), text.data(), text.size(), "xml");
  ::lseek(file.fd(), 0, SEEK_SET);
  return file;
}

void read_from(const base::file_handle& file, era::contents_sink& sink) {
  base::no_progress silent;
  era::read_xml(
      {file.fd(), "doc"}, sink, [](const std::string&) {}, silent);
}

counting_sink reading(const std::string& document) {
  counting_sink sink;
  read_from(file_of(document), sink);
  return sink;
}

std::string refusal_of(const std::string& document) {
  return message_of<base::data_error>([&] { reading(document); });
}

std::string in_array(const std::string& body) {
  return std::string(start) + "<era_array>" + body + "</era_array></superblock>";
}

double cpu_seconds() {
  timespec now{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) / 1e9;
}

// Where each line end made Expat begin anew, these took minutes.
TEST(xml_bounds, takes_a_token_of_many_lines_in_little_time) {
  const std::string lines(1'000'000, '\n');
  const double began = cpu_seconds();
  EXPECT_TRUE(reading(in_array("<!--" + lines + "-->")).ended);
  EXPECT_EQ(reading(in_array("<era" + lines + "block=\"1\" era=\"1\"/>")).blocks, 1U);
  EXPECT_TRUE(reading(in_array("<?pi " + lines + "?>")).ended);
  EXPECT_TRUE(reading(lines + in_array("")).ended);
  EXPECT_TRUE(reading(in_array("<![CDATA[" + lines + "]]>")).ended);
  EXPECT_TRUE(reading(in_array("") + lines).ended);
  EXPECT_LT(cpu_seconds() - began, 10);
}

TEST(xml_bounds, counts_lines_right_after_a_token_of_many) {
  const counting_sink got = reading(
      std::string(start) + "\n<!--" + std::string(5000, '\n') + "-->\n" +
      "<era_array>\n  <era block=\"0\" era=\"1\"/>\n  <era\n\n block=\"1\" era=\"1\"/>\n" +
      "  <era block=\"2\" era=\"2\"/>\n" + std::string(200, ' ') + "\n</era_array></superblock>\n");
  EXPECT_EQ(got.blocks, 3U);
  EXPECT_EQ(got.last.line, 5008U);
  EXPECT_EQ(got.last.column, 3U);
}

TEST(xml_bounds, refuses_more_than_a_thousand_unknown_attributes) {
  const auto with = [](int names) {
    std::string body;
    for (int i = 0; i < names; ++i) {
      body += "<era block=\"" + std::to_string(i % 10) + "\" era=\"1\" a" + std::to_string(i) +
              "=\"\"/>";
    }
    return in_array(body);
  };
  EXPECT_TRUE(reading(with(1000)).ended);
  EXPECT_NE(refusal_of(with(1001)).find("more than 1000 different unknown attributes"),
            std::string::npos);
  EXPECT_TRUE(
      reading(in_array("<era block=\"1\" era=\"1\" " + std::string(256, 'a') + "=\"\"/>")).ended);
  EXPECT_NE(refusal_of(in_array("<era block=\"1\" era=\"1\" " + std::string(257, 'a') + "=\"\"/>"))
                .find("an unknown attribute with a name of more than 256 bytes"),
            std::string::npos);
}

TEST(xml_bounds, refuses_a_long_document_type) {
  const auto with = [](std::size_t declarations, const char* separator) {
    std::string text = "<!DOCTYPE superblock [";
    for (std::size_t i = 0; i < declarations; ++i) {
      text += std::string("<!ELEMENT era ANY>") + separator;
    }
    return text + "]>" + in_array("");
  };
  for (const char* const separator : {"", "\n"}) {
    EXPECT_TRUE(reading(with(3000, separator)).ended);
    EXPECT_NE(refusal_of(with(5000, separator)).find("a document type of more than 65536 bytes"),
              std::string::npos);
  }
}

TEST(xml_bounds, refuses_declarations_in_utf_16) {
  std::string wide = "\xff\xfe";
  for (const char c : "<!DOCTYPE superblock SYSTEM 'x'>" + in_array("")) {
    wide += c;
    wide += '\0';
  }
  EXPECT_NE(refusal_of(wide).find("declarations of the document's type in UTF-16"),
            std::string::npos);
}

TEST(xml_bounds, takes_references_that_need_no_declaration) {
  EXPECT_TRUE(reading("<!DOCTYPE superblock [<!ELEMENT superblock ANY>]><superblock uuid="
                      "\"&lt;&#65;&gt;&amp;&quot;&apos;\" block_size=\"8\" nr_blocks=\"1\" "
                      "current_era=\"1\"/>")
                  .ended);
}

TEST(xml_bounds, ends_where_zeros_follow_the_document) {
  const std::string document = in_array("<era block=\"1\" era=\"1\"/>");
  const std::string zeros(3 << 20, '\0');
  for (const std::string between : {"", "\n", " \r\n\t\n"}) {
    EXPECT_TRUE(reading(document + between + zeros).ended);
    EXPECT_TRUE(reading(document + between + zeros.substr(0, 1)).ended);
    EXPECT_TRUE(
        reading(document + between + zeros.substr(0, 100) + "\nwhat was there before\n").ended);
  }
}

TEST(xml_bounds, stops_reading_at_zeros_after_the_document) {
  base::file_handle file(::memfd_create("xml", MFD_CLOEXEC));
  const std::string document = in_array("") + "\n";
  base::write_all(file.fd(), document.data(), document.size(), "xml");
  ::lseek(file.fd(), 0, SEEK_SET);
  ASSERT_EQ(::ftruncate(file.fd(), off_t{1} << 44), 0);  // 16 TiB
  counting_sink sink;
  read_from(file, sink);
  EXPECT_TRUE(sink.ended);
}

TEST(xml_bounds, refuses_zeros_anywhere_else) {
  const std::string zero(1, '\0');
  const std::string document = in_array("");
  for (const std::string& bad :
       {zero, zero + document, document.substr(0, document.size() - 1) + zero,
        document + "x" + zero, document + "\nx\n" + zero, document + "<!--" + zero + "-->",
        document + "<!-- x -->" + zero, document + "\n<?x\n" + zero, in_array(zero),
        std::string(start) + zero}) {
    EXPECT_NE(refusal_of(bad), "") << bad;
  }
}

TEST(xml_bounds, takes_no_zero_of_utf_16_for_the_end) {
  for (const bool big_endian : {false, true}) {
    std::string wide = big_endian ? "\xfe\xff" : "\xff\xfe";
    for (const char c : in_array("") + "\nrubbish") {
      wide += big_endian ? std::string{'\0', c} : std::string{c, '\0'};
    }
    EXPECT_NE(refusal_of(wide), "");
  }
}

// Changes the file while it is read, without another size.
class writing_sink final : public counting_sink {
 public:
  explicit writing_sink(int fd) : fd_(fd) {}
  void begin(const era::superblock_facts&) override {
    const timespec times[] = {{0, UTIME_OMIT}, {1'000'000, 0}};
    EXPECT_EQ(::futimens(fd_, times), 0);
  }

 private:
  int fd_;
};

TEST(xml_bounds, refuses_a_file_that_is_changed_while_it_is_read) {
  const base::file_handle file = file_of(in_array(""));
  writing_sink sink(file.fd());
  const base::text_source source{file.fd(), "doc", base::change_watch(file.fd(), "doc")};
  base::no_progress silent;
  EXPECT_EQ(message_of<base::data_error>([&] { era::read_xml(source, sink, {}, silent); }),
            "doc: was changed while it was read.  Give it again when it is complete.");
  EXPECT_FALSE(sink.ended);
}

}  // namespace
