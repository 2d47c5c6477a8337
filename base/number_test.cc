#include "base/number.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using base::parse_number;

TEST(parse_number, reads_decimal_digits) {
  EXPECT_EQ(parse_number("0", 10), 0U);
  EXPECT_EQ(parse_number("10", 10), 10U);
  EXPECT_EQ(parse_number("4294967295", UINT32_MAX), UINT32_MAX);
  EXPECT_EQ(parse_number("18446744073709551615", UINT64_MAX), UINT64_MAX);
}

TEST(parse_number, takes_leading_zeros_as_decimal) {
  EXPECT_EQ(parse_number("007", 10), 7U);
  EXPECT_EQ(parse_number("010", 10), 10U);
  EXPECT_EQ(parse_number(std::string(100, '0') + "5", 10), 5U);
}

TEST(parse_number, refuses_what_is_above_the_maximum) {
  EXPECT_FALSE(parse_number("11", 10));
  EXPECT_FALSE(parse_number("4294967296", UINT32_MAX));
  EXPECT_FALSE(parse_number("1", 0));
}

TEST(parse_number, refuses_what_does_not_fit_64_bits) {
  EXPECT_FALSE(parse_number("18446744073709551616", UINT64_MAX));
  EXPECT_FALSE(parse_number(std::string(40, '9'), UINT64_MAX));
}

TEST(parse_number, refuses_everything_but_digits) {
  for (const char* const text : {"", "-", "+", "-1", "+1", "-0", " 1", "1 ", "\t1", "1\n", "1.0",
                                 "1e3", "0x10", "0b1", "1,000", "one", "1_0", "\xEF\xBC\x91"}) {
    EXPECT_FALSE(parse_number(text, UINT64_MAX)) << "'" << text << "'";
  }
  EXPECT_FALSE(parse_number(std::string_view("1\0", 2), UINT64_MAX));
  EXPECT_FALSE(parse_number(std::string_view(), UINT64_MAX));
}

}  // namespace
