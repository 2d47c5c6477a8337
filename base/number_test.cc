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

TEST(parse_size, reads_letters_as_lvm_does) {
  EXPECT_EQ(base::parse_size("4096", UINT64_MAX), 4096U);
  EXPECT_EQ(base::parse_size("3s", UINT64_MAX), 1536U);
  EXPECT_EQ(base::parse_size("64k", UINT64_MAX), 65536U);
  EXPECT_EQ(base::parse_size("64K", UINT64_MAX), 65536U);
  EXPECT_EQ(base::parse_size("2M", UINT64_MAX), 2U << 20);
  EXPECT_EQ(base::parse_size("3g", UINT64_MAX), std::uint64_t{3} << 30);
  EXPECT_EQ(base::parse_size("1T", UINT64_MAX), std::uint64_t{1} << 40);
}

TEST(parse_size, refuses_what_does_not_fit) {
  EXPECT_EQ(base::parse_size("16777215T", UINT64_MAX), std::uint64_t{16777215} << 40);
  EXPECT_FALSE(base::parse_size("16777216T", UINT64_MAX));
  EXPECT_FALSE(base::parse_size("2k", 2047));
  EXPECT_TRUE(base::parse_size("2k", 2048));
}

TEST(parse_size, refuses_everything_else) {
  for (const char* const text : {"", "k", "s", "1kk", "1kB", "1.5M", "-1k", "1 k", "1b", "0x1k"}) {
    EXPECT_FALSE(base::parse_size(text, UINT64_MAX)) << "'" << text << "'";
  }
}

TEST(short_size, is_short_and_near) {
  const std::pair<std::uint64_t, const char*> sizes[] = {
      {0, "0"},
      {512, "512"},
      {1023, "1023"},
      {1024, "1k"},
      {1536, "1.5k"},
      {65536, "64k"},
      {9 * 1024 + 970, "9.9k"},
      {10 * 1024 + 600, "11k"},
      {1048576, "1M"},
      {123 * 1048576 + 600000, "124M"},
      {std::uint64_t{1} << 40, "1T"},
      {std::uint64_t{5} << 39, "2.5T"},
      {UINT64_MAX, "16777216T"},
  };
  for (const auto& [bytes, text] : sizes) {
    EXPECT_EQ(base::short_size(bytes), text) << bytes;
  }
}

TEST(percent, shows_neither_something_as_nothing_nor_a_part_as_all) {
  EXPECT_EQ(base::percent(0, 0), "0.0 %");
  EXPECT_EQ(base::percent(0, 7), "0.0 %");
  EXPECT_EQ(base::percent(7, 7), "100.0 %");
  EXPECT_EQ(base::percent(1, 1000000), "0.1 %");
  EXPECT_EQ(base::percent(999999, 1000000), "99.9 %");
  EXPECT_EQ(base::percent(405, 10000), "4.1 %");
  EXPECT_EQ(base::percent(1, 3), "33.3 %");
}

}  // namespace
