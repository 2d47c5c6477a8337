// The scanner and Expat against each other: whatever a document is, reading it with the scanner
// must come to the same as leaving it all to Expat.
#include "era/xml/xml_scanner.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cstdlib>
#include <random>

#include "base/error.h"
#include "base/file_handle.h"
#include "era/xml/heard_contents_test_support.h"
#include "era/xml/xml_reader.h"

namespace {

using era::leaf_scanner;

// ---- lines ----

struct scanned {
  std::string leaves;
  std::size_t bytes;
};

// What is after the lines in a document, so that the scanner may look at it.
const std::string what_follows(100, ' ');

scanned scan(leaf_scanner::kind of, const std::string& lines) {
  std::vector<leaf_scanner::leaf> leaves(lines.size());
  const auto taken = leaf_scanner(of, UINT64_MAX, UINT32_MAX).scan(lines + what_follows, leaves);
  leaves.resize(taken.lines);
  scanned all{"", taken.bytes};
  for (const leaf_scanner::leaf& leaf : leaves) {
    all.leaves += std::to_string(leaf.block) + ":" + std::to_string(leaf.value) + "@" +
                  std::to_string(leaf.column) + " ";
  }
  return all;
}

std::size_t nr_scanned(const leaf_scanner& scanner, const std::string& text) {
  std::vector<leaf_scanner::leaf> leaves(text.size());
  const leaf_scanner::result taken = scanner.scan(text, leaves);
  EXPECT_EQ(taken.bytes > 0, taken.lines > 0);
  return taken.lines;
}

TEST(xml_scanner, takes_the_lines_of_a_dump) {
  const std::string bits =
      "    <bit block=\"0\" value=\"false\"/>\n<bit block=\"4294967295\" value=\"true\"/>\n";
  EXPECT_EQ(scan(leaf_scanner::kind::bits, bits).leaves, "0:0@5 4294967295:1@1 ");
  EXPECT_EQ(scan(leaf_scanner::kind::bits, bits).bytes, bits.size());
  const std::string eras =
      "    <era block=\"17\" era=\"5\"/>\n    <era block=\"007\" era=\"4294967295\"/>\n";
  EXPECT_EQ(scan(leaf_scanner::kind::eras, eras).leaves, "17:5@5 7:4294967295@5 ");
  EXPECT_EQ(scan(leaf_scanner::kind::eras, eras).bytes, eras.size());
}

TEST(xml_scanner, takes_nothing_else) {
  for (const char* const line :
       {"<bit block=\"4294967296\" value=\"true\"/>\n",
        "<bit block=\"00000000001\" value=\"true\"/>\n", "<bit block=\"\" value=\"true\"/>\n",
        "<bit block=\"+1\" value=\"true\"/>\n", "<bit block=\"1\" value=\"TRUE\"/>\n",
        "<bit block=\"1\" value=\"true\" />\n", "<bit block=\"1\" value=\"true\"/>\r\n",
        "<bit block=\"1\" value=\"true\"/> \n", "<bit block='1' value='true'/>\n",
        "<bit value=\"true\" block=\"1\"/>\n", "<bit block=\"1\"  value=\"true\"/>\n",
        "<bit block=\"1\" value=\"true\"></bit>\n", "<bit block=\"&#49;\" value=\"true\"/>\n",
        "\t<bit block=\"1\" value=\"true\"/>\n", "<era block=\"1\" era=\"1\"/>\n", "\n", ""}) {
    EXPECT_EQ(scan(leaf_scanner::kind::bits, line).bytes, 0U) << line;
  }
}

TEST(xml_scanner, takes_no_line_that_is_not_there_in_full) {
  const std::string line = "    <bit block=\"123\" value=\"false\"/>\n";
  for (std::size_t size = 0; size < line.size(); ++size) {
    EXPECT_EQ(nr_scanned({leaf_scanner::kind::bits, UINT64_MAX, 1}, line.substr(0, size)), 0U)
        << size;
  }
}

TEST(xml_scanner, leaves_what_is_out_of_range_to_others) {
  const std::string text =
      "<era block=\"8\" era=\"5\"/>\n<era block=\"9\" era=\"5\"/>\n" + what_follows;
  EXPECT_EQ(nr_scanned({leaf_scanner::kind::eras, 9, 5}, text), 1U);
  EXPECT_EQ(nr_scanned({leaf_scanner::kind::eras, 10, 4}, text), 0U);
  EXPECT_EQ(nr_scanned({leaf_scanner::kind::eras, 10, 5}, text), 2U);
}

TEST(xml_scanner, takes_no_more_than_there_is_room_for) {
  const std::string line = "<era block=\"1\" era=\"1\"/>\n";
  EXPECT_EQ(line.size(), leaf_scanner::shortest_line);
  const leaf_scanner scanner(leaf_scanner::kind::eras, 10, 5);
  std::vector<leaf_scanner::leaf> room(2);
  const leaf_scanner::result taken = scanner.scan(line + line + line + what_follows, room);
  EXPECT_EQ(taken.lines, 2U);
  EXPECT_EQ(taken.bytes, 2 * line.size());
}

TEST(xml_scanner, takes_numbers_of_any_length_behind_any_other) {
  std::string text;
  std::string expected;
  std::mt19937_64 random(1);
  for (int i = 0; i < 2000; ++i) {
    const auto block = static_cast<std::uint32_t>(random() >> (32 + random() % 32));
    const auto era = static_cast<std::uint32_t>(random() >> (32 + random() % 32));
    const std::string zeros(random() % 4 == 0 ? random() % 3 : 0, '0');
    if (zeros.size() + std::to_string(block).size() > 10) {
      continue;
    }
    text += "    <era block=\"" + zeros + std::to_string(block) + "\" era=\"" +
            std::to_string(era) + "\"/>\n";
    expected += std::to_string(block) + ":" + std::to_string(era) + "@5 ";
  }
  EXPECT_EQ(scan(leaf_scanner::kind::eras, text).leaves, expected);
}

// ---- documents ----

// What a document says: events with their positions, remarks, or why it is refused.
std::string read(const std::string& document, bool scanning) {
  const base::file_handle file(::memfd_create("xml", MFD_CLOEXEC));
  base::write_all(file.fd(), document.data(), document.size(), "xml");
  ::lseek(file.fd(), 0, SEEK_SET);
  era::test::heard_contents heard;
  try {
    base::no_progress silent;
    era::read_xml(
        {file.fd(), "doc"}, heard, [&](const std::string& remark) { heard.add_line(remark); },
        silent, scanning);
  } catch (const base::error& e) {
    heard.add_line(e.what());
  }
  return heard.text();
}

void expect_the_same(const std::string& document) {
  const std::string with = read(document, true);
  const std::string without = read(document, false);
  if (with != without) {
    ADD_FAILURE() << document.substr(0, 2000) << "\nwith the scanner:\n"
                  << with.substr(0, 1000) << "\nwithout:\n"
                  << without.substr(0, 1000);
  }
}

class document_maker {
 public:
  explicit document_maker(std::uint64_t seed) : random_(seed) {}

  std::string valid(std::uint64_t most_blocks) {
    const std::uint64_t blocks = below(most_blocks);
    std::string text = one_in(4) ? "<?xml version=\"1.0\"?>\n" : "";
    text += "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"" + std::to_string(blocks) +
            "\" current_era=\"9\">\n";
    for (std::uint64_t era = 9 - below(4); era < 9; ++era) {
      text += "  <writeset era=\"" + std::to_string(era) + "\" nr_bits=\"" +
              std::to_string(blocks) + "\">\n";
      for (std::uint64_t block = 0; block < blocks; block += step()) {
        text += "    <bit block=\"" + std::to_string(block) + "\" value=\"" +
                (one_in(5) ? "true" : "false") + "\"/>\n";
        text += oddity();
      }
      text += "  </writeset>\n";
    }
    text += "  <era_array>\n";
    for (std::uint64_t block = 0; block < blocks; block += step()) {
      text += "    <era block=\"" + std::to_string(block) + "\" era=\"" +
              std::to_string(below(10)) + "\"/>\n";
      text += oddity();
    }
    return text + "  </era_array>\n</superblock>\n";
  }

  std::string mutated(std::string text) {
    static constexpr std::string_view pieces[] = {
        "<",           ">",           "/",    "\"",       "\n",
        "\r\n",        " ",           "<!--", "-->",      "&amp;",
        "<![CDATA[",   "]]>",         "0",    "9",        "<bit block=\"1\" value=\"true\"/>\n",
        "</writeset>", "<era_array>", "\xff", "\xc3\xa9", "<!DOCTYPE superblock>\n",
        "<?pi ?>",     "    "};
    for (std::uint64_t n = 1 + below(3); n > 0 && !text.empty(); --n) {
      const std::size_t at = below(text.size());
      switch (below(4)) {
        case 0:
          text[at] = static_cast<char>(below(128));
          break;
        case 1:
          text.erase(at, 1 + below(40));
          break;
        case 2:
          text.insert(at, pieces[below(std::size(pieces))]);
          break;
        default:
          text.insert(at, text.substr(below(text.size()), below(120)));
      }
    }
    return text;
  }

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  std::uint64_t step() { return one_in(10) ? 2 : 1; }

  // What is legal between two lines, and not the scanner's.
  std::string oddity() {
    if (!one_in(40)) {
      return "";
    }
    static const std::string all[] = {"\n",
                                      "  ",
                                      "<!-- a\n    <bit block=\"1\" value=\"true\"/>\n -->\n",
                                      "text\n",
                                      "<!-- --> <!-- -->\n",
                                      "\t\n",
                                      "<![CDATA[\n    <bit block=\"1\" value=\"true\"/>\n]]>\n",
                                      "\r\n"};
    return all[below(std::size(all))];
  }

  std::mt19937_64 random_;
};

TEST(xml_scanner, comes_to_the_same_as_expat_alone) {
  std::uint64_t documents = 0;
  document_maker make(1);
  // Each document is read by threads of its own, which a sanitizer makes slow.
  const int rounds = std::getenv("ERA_SANITIZED") == nullptr ? 400 : 100;
  for (int round = 0; round < rounds && !HasFailure(); ++round) {
    const std::string valid = make.valid(60);
    expect_the_same(valid);
    ++documents;
    for (int i = 0; i < 25; ++i, ++documents) {
      expect_the_same(make.mutated(valid));
    }
  }
  std::printf("%llu documents\n", static_cast<unsigned long long>(documents));
}

// Longer than any buffer, so that lines are cut wherever a piece ends.
// Bytes that are half characters of another encoding may look like a line.
TEST(xml_scanner, takes_no_line_out_of_the_midst_of_utf_16) {
  const auto utf_16 = [](const std::string& text) {
    std::string wide;
    for (const char c : text) {
      wide += c;
      wide += '\0';
    }
    return wide;
  };
  const std::string document =
      "\xFF\xFE" +
      utf_16(
          "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"10\" current_era=\"5\">"
          "<era_array>") +
      "\n    <era block=\"1\" era=\"1\"/>\n" + utf_16("</era_array></superblock>" + what_follows);
  EXPECT_EQ(read(document, false), "s 128 10 5\n.\n");
  EXPECT_EQ(read(document, true), "s 128 10 5\n.\n");
}

TEST(xml_scanner, comes_to_the_same_as_expat_in_long_documents) {
  document_maker make(2);
  for (int round = 0; round < 12 && !HasFailure(); ++round) {
    const std::string valid = make.valid(20000);
    expect_the_same(valid);
    expect_the_same(make.mutated(valid));
  }
}

}  // namespace
