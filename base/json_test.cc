#include "base/json.h"

#include <gtest/gtest.h>

#include <cstdio>
#include <functional>
#include <string>

namespace {

using base::json_writer;

std::string written(const std::function<void(json_writer&)>& write) {
  base::text out;
  json_writer json(out);
  write(json);
  return std::string(out.view());
}

TEST(json, indents_two_spaces_a_level) {
  EXPECT_EQ(written([](json_writer& json) {
              json.begin_object();
              json.text("tool", "era_check");
              json.number("blocks", UINT64_MAX);
              json.begin_array("ranges");
              json.begin_object();
              json.number("begin", 1);
              json.number("end", 3);
              json.end_object();
              json.begin_object();
              json.number("begin", 9);
              json.end_object();
              json.end_array();
              json.boolean("open", true);
              json.boolean("sound", false);
              json.end_object();
            }),
            "{\n"
            "  \"tool\": \"era_check\",\n"
            "  \"blocks\": 18446744073709551615,\n"
            "  \"ranges\": [\n"
            "    {\n"
            "      \"begin\": 1,\n"
            "      \"end\": 3\n"
            "    },\n"
            "    {\n"
            "      \"begin\": 9\n"
            "    }\n"
            "  ],\n"
            "  \"open\": true,\n"
            "  \"sound\": false\n"
            "}\n");
}

TEST(json, writes_empty_levels_on_one_line) {
  EXPECT_EQ(written([](json_writer& json) {
              json.begin_object();
              json.end_object();
            }),
            "{}\n");
  EXPECT_EQ(written([](json_writer& json) {
              json.begin_object();
              json.begin_array("problems");
              json.end_array();
              json.number("errors", 0);
              json.end_object();
            }),
            "{\n  \"problems\": [],\n  \"errors\": 0\n}\n");
}

TEST(json, writes_values_without_a_name_in_arrays) {
  EXPECT_EQ(written([](json_writer& json) {
              json.begin_array();
              json.number("", 1);
              json.text("", "two");
              json.begin_array();
              json.end_array();
              json.end_array();
            }),
            "[\n  1,\n  \"two\",\n  []\n]\n");
}

// The value of {"t": ...} as it is written, with its quotes.
std::string quoted(std::string_view text) {
  const std::string all = written([&](json_writer& json) {
    json.begin_object();
    json.text("t", text);
    json.end_object();
  });
  const std::string before = "{\n  \"t\": ";
  const std::string after = "\n}\n";
  EXPECT_TRUE(all.starts_with(before) && all.ends_with(after)) << all;
  return all.substr(before.size(), all.size() - before.size() - after.size());
}

TEST(json, escapes_quotes_and_backslashes) {
  EXPECT_EQ(quoted(R"(a "file" in \dir\)"), R"("a \"file\" in \\dir\\")");
  EXPECT_EQ(quoted("/dev/mapper/meta"), R"("/dev/mapper/meta")");
}

TEST(json, escapes_every_control_character) {
  for (unsigned code = 0; code < 0x20; ++code) {
    const char c = static_cast<char>(code);
    char expected[16];
    std::snprintf(expected, sizeof expected, "\"\\u%04x\"", code);
    EXPECT_EQ(quoted(std::string_view(&c, 1)), expected);
  }
  EXPECT_EQ(quoted("line\none"), R"("line\u000aone")");
}

TEST(json, leaves_utf_8_as_it_is) {
  EXPECT_EQ(quoted("gr\xC3\xB6\xC3\x9F"), "\"gr\xC3\xB6\xC3\x9F\"");
}

TEST(json, escapes_names_too) {
  EXPECT_EQ(written([](json_writer& json) {
              json.begin_object();
              json.number("a\"b", 1);
              json.end_object();
            }),
            "{\n  \"a\\\"b\": 1\n}\n");
}

}  // namespace
