#include "base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using base::utf8_length;

TEST(utf8, has_characters_of_up_to_four_bytes) {
  EXPECT_EQ(utf8_length("a"), 1U);
  EXPECT_EQ(utf8_length("\x7F-"), 1U);
  EXPECT_EQ(utf8_length("\xC2\x80-"), 2U);
  EXPECT_EQ(utf8_length("\xDF\xBF"), 2U);
  EXPECT_EQ(utf8_length("\xE0\xA0\x80"), 3U);
  EXPECT_EQ(utf8_length("\xED\x9F\xBF"), 3U);
  EXPECT_EQ(utf8_length("\xEE\x80\x80"), 3U);
  EXPECT_EQ(utf8_length("\xEF\xBF\xBF"), 3U);
  EXPECT_EQ(utf8_length("\xF0\x90\x80\x80"), 4U);
  EXPECT_EQ(utf8_length("\xF4\x8F\xBF\xBF"), 4U);
}

TEST(utf8, has_no_other_sequences) {
  for (const std::string text : {
           "\x80",              // nothing before it
           "\xC3",              // cut off
           "\xE2\x82",          //
           "\xF0\x90\x80",      //
           "\xC3-",             // not continued
           "\xE2\x82-",         //
           "\xC0\x80",          // longer than it has to be
           "\xC1\xBF",          //
           "\xE0\x80\x80",      //
           "\xE0\x9F\xBF",      //
           "\xF0\x80\x80\x80",  //
           "\xF0\x8F\xBF\xBF",  //
           "\xED\xA0\x80",      // halves of a pair of UTF-16
           "\xED\xBF\xBF",      //
           "\xF4\x90\x80\x80",  // past the last character
           "\xF5\x80\x80\x80",  //
           "\xFF",              //
       }) {
    EXPECT_EQ(utf8_length(text), 0U) << testing::PrintToString(text);
  }
}

}  // namespace
