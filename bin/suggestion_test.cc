#include "bin/suggestion.h"

#include <gtest/gtest.h>

namespace {

using cli::sentence_about_unknown;

const std::vector<cli::option> options{
    {'o', "output", "FILE", "write to FILE"},
    {'q', "quiet", nullptr, "print nothing"},
    {0, "written-since", "ERA", "the first era that counts"},
    {0, "super-block-only", nullptr, "check the superblock alone"},
    {0, "metadata-snapshot", nullptr, "read the snapshot", "metadata-snap"}};

TEST(suggestion, is_what_the_option_begins_like) {
  EXPECT_EQ(sentence_about_unknown("--out", options),
            "unknown option '--out'; did you mean '--output'?");
  EXPECT_EQ(sentence_about_unknown("--written=5", options),
            "unknown option '--written=5'; did you mean '--written-since'?");
}

TEST(suggestion, is_an_option_with_the_same_words_in_it) {
  for (const auto& [given, meant] :
       std::vector<std::pair<std::string, std::string>>{{"--since", "--written-since"},
                                                        {"--since=3", "--written-since"},
                                                        {"--snapshot", "--metadata-snapshot"},
                                                        {"--snap", "--metadata-snap"},
                                                        {"--block-only", "--super-block-only"},
                                                        {"--since-written", "--written-since"}}) {
    EXPECT_EQ(sentence_about_unknown(given, options),
              "unknown option '" + given + "'; did you mean '" + meant + "'?");
  }
}

TEST(suggestion, is_the_option_most_alike) {
  for (const auto& [given, meant] : std::vector<std::pair<std::string, std::string>>{
           {"--quite", "--quiet"},
           {"--qiet", "--quiet"},
           {"--writen-since=5", "--written-since"},
           {"--superblock-only", "--super-block-only"},
           {"--metdata-snapshot", "--metadata-snapshot"}}) {
    EXPECT_EQ(sentence_about_unknown(given, options),
              "unknown option '" + given + "'; did you mean '" + meant + "'?");
  }
}

TEST(suggestion, is_nothing_where_nothing_is_alike) {
  for (const std::string given :
       {"--xyzzyxyzzy", "--sync", "--width", "--input-file", "--a", "--", "-z", "--only-quick"}) {
    EXPECT_EQ(sentence_about_unknown(given, options), "unknown option '" + given + "'.");
  }
}

TEST(suggestion, is_the_tool_that_has_the_option) {
  EXPECT_EQ(sentence_about_unknown("--repair", options),
            "unknown option '--repair'; 'era_dump --repair' does that.");
  EXPECT_EQ(sentence_about_unknown("--input=x", options),
            "unknown option '--input=x'; 'era_restore --input' does that.");
}

}  // namespace
