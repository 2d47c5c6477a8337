#include "era/xml/xml_writer.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

#include "base/file_test_support.h"

namespace {

using era::contents_run;
using era::contents_window;

constexpr std::uint64_t bits_per_word = 64;

// A writeset and an era array, to be sent in either form.
struct document {
  std::uint32_t current_era = 5;
  std::vector<bool> bits;
  std::vector<std::uint32_t> eras;
};

era::window_ptr window_of(const std::vector<bool>& bits, std::uint64_t first, std::uint64_t count) {
  auto window = std::make_shared<contents_window>();
  window->first = first;
  window->count = count;
  window->bits.resize((count + bits_per_word - 1) / bits_per_word);
  for (std::uint64_t i = 0; i < count; ++i) {
    window->bits[i / bits_per_word] |= std::uint64_t{bits[first + i]} << i % bits_per_word;
  }
  return window;
}

era::window_ptr window_of(const std::vector<std::uint32_t>& eras, std::uint64_t first,
                          std::uint64_t count) {
  auto window = std::make_shared<contents_window>();
  window->first = first;
  window->count = count;
  window->eras.assign(eras.begin() + static_cast<std::ptrdiff_t>(first),
                      eras.begin() + static_cast<std::ptrdiff_t>(first + count));
  return window;
}

// In windows of 128 values.
template <typename Values, typename Send>
void send_windows(const Values& values, Send send) {
  for (std::uint64_t first = 0; first < values.size(); first += 128) {
    send(window_of(values, first, std::min<std::uint64_t>(128, values.size() - first)));
  }
}

// Only what is not 0, each value a run of its own.
template <typename Values, typename Send>
void send_runs(const Values& values, Send send) {
  for (std::uint32_t i = 0; i < values.size(); ++i) {
    if (values[i] != 0) {
      const contents_run run{i, 1, static_cast<std::uint32_t>(values[i]), {}};
      send(std::span(&run, 1));
    }
  }
}

enum class form { windows, runs };

std::string xml_of(const document& what, bool compact, form as) {
  const base::test::temporary_folder folder;
  base::output out(folder / "xml");
  era::xml_writer xml(out, compact);
  const auto bits = [&](const auto& values) { xml.bits(values); };
  const auto eras = [&](const auto& values) { xml.eras(values); };
  xml.begin({128, static_cast<std::uint32_t>(what.eras.size()), what.current_era});
  xml.begin_writeset(4, static_cast<std::uint32_t>(what.bits.size()), {});
  if (as == form::windows) {
    send_windows(what.bits, bits);
  } else {
    send_runs(what.bits, bits);
  }
  xml.end_writeset();
  if (as == form::windows) {
    send_windows(what.eras, eras);
  } else {
    send_runs(what.eras, eras);
  }
  xml.end();
  out.commit();
  return base::test::read_file(folder / "xml");
}

class xml_writer : public testing::TestWithParam<form> {};

TEST_P(xml_writer, writes_the_form_of_the_format) {
  const document what{5, {false, true, true, false}, {0, 3}};
  EXPECT_EQ(xml_of(what, false, GetParam()),
            "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"2\" current_era=\"5\">\n"
            "  <writeset era=\"4\" nr_bits=\"4\">\n"
            "    <bit block=\"0\" value=\"false\"/>\n"
            "    <bit block=\"1\" value=\"true\"/>\n"
            "    <bit block=\"2\" value=\"true\"/>\n"
            "    <bit block=\"3\" value=\"false\"/>\n"
            "  </writeset>\n"
            "  <era_array>\n"
            "    <era block=\"0\" era=\"0\"/>\n"
            "    <era block=\"1\" era=\"3\"/>\n"
            "  </era_array>\n"
            "</superblock>\n");
  EXPECT_EQ(xml_of(what, true, GetParam()),
            "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"2\" current_era=\"5\">\n"
            "  <writeset era=\"4\" nr_bits=\"4\">\n"
            "    <bit block=\"1\" value=\"true\"/>\n"
            "    <bit block=\"2\" value=\"true\"/>\n"
            "  </writeset>\n"
            "  <era_array>\n"
            "    <era block=\"1\" era=\"3\"/>\n"
            "  </era_array>\n"
            "</superblock>\n");
}

TEST_P(xml_writer, writes_empty_elements_with_their_tags) {
  EXPECT_EQ(xml_of({5, {}, {}}, false, GetParam()),
            "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"0\" current_era=\"5\">\n"
            "  <writeset era=\"4\" nr_bits=\"0\">\n"
            "  </writeset>\n"
            "  <era_array>\n"
            "  </era_array>\n"
            "</superblock>\n");
}

INSTANTIATE_TEST_SUITE_P(forms, xml_writer, testing::Values(form::windows, form::runs));

TEST(xml_writer, says_the_same_of_runs_and_windows_of_any_length) {
  document what;
  for (std::uint32_t i = 0; i < 300000; ++i) {
    what.bits.push_back(i % 7 == 0 || (i > 100000 && i < 140000));
    what.eras.push_back(i % 1000 < 500 ? 0 : i % 5);
  }
  EXPECT_EQ(xml_of(what, false, form::windows), xml_of(what, false, form::runs));
  EXPECT_EQ(xml_of(what, true, form::windows), xml_of(what, true, form::runs));
}

TEST(xml_writer, refuses_a_source_that_does_not_keep_the_order) {
  base::output out("/dev/null");
  era::xml_writer xml(out, false);
  xml.begin({128, 10, 5});
  const contents_run late{4, 1, 1, {}};
  const contents_run early{3, 1, 1, {}};
  xml.eras({&late, 1});
  EXPECT_THROW(xml.eras({&early, 1}), std::logic_error);
  EXPECT_THROW(xml.begin_writeset(4, 10, {}), std::logic_error);
}

}  // namespace
