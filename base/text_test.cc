#include "base/text.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace {

TEST(text, grows_and_keeps_what_it_has) {
  base::text text;
  std::string expected;
  for (std::uint64_t i = 0; i < 10'000; ++i) {
    text << "number ";
    text.number(i * i * i * i * i) << "\n";
    expected += "number " + std::to_string(i * i * i * i * i) + "\n";
  }
  text.number(UINT64_MAX);
  EXPECT_EQ(text.view(), expected + "18446744073709551615");
  text.clear();
  EXPECT_EQ(text.view(), "");
}

TEST(text, takes_what_a_writer_puts_behind_its_end) {
  base::text text;
  text << "a";
  char* const at = text.room(100);
  at[0] = 'b';
  at[1] = 'c';
  text.end_at(at + 1);
  text << "d";
  EXPECT_EQ(text.view(), "abd");
}

std::string put(base::near_numbers& numbers, std::uint32_t number) {
  char buffer[base::near_numbers::longest];
  return {buffer, numbers.put(buffer, number)};
}

TEST(near_numbers, agree_with_the_standard_library) {
  std::mt19937 random(1);
  for (const std::uint32_t first : {0U, 990U, 9'950U, 99'990U, 4'294'967'000U}) {
    base::near_numbers numbers;
    for (std::uint32_t i = 0; i < 296; ++i) {
      EXPECT_EQ(put(numbers, first + i), std::to_string(first + i));
    }
  }
  base::near_numbers numbers;
  for (int i = 0; i < 10'000; ++i) {
    const auto number = static_cast<std::uint32_t>(random() >> random() % 32);
    EXPECT_EQ(put(numbers, number), std::to_string(number));
  }
  EXPECT_EQ(put(numbers, UINT32_MAX), "4294967295");
}

TEST(near_numbers, agree_with_the_standard_library_far_apart) {
  base::near_numbers numbers;
  std::uint64_t number = 1;
  for (int i = 0; i < 20000; ++i) {
    number = i % 100 == 99 ? number * 7 % 1'000'000'000'000'000'007 : number + 65536;
    char text[base::near_numbers::longest];
    ASSERT_EQ(std::string(text, numbers.put(text, number)), std::to_string(number));
  }
  for (std::uint64_t power = 1; power <= UINT64_MAX / 10; power *= 10) {
    for (const std::uint64_t near : {power - 1, power, power + 1, UINT64_MAX - power}) {
      char text[base::near_numbers::longest];
      ASSERT_EQ(std::string(text, numbers.put(text, near)), std::to_string(near));
    }
  }
}

TEST(same_numbers, agree_with_the_standard_library) {
  base::same_numbers numbers;
  for (const std::uint64_t number : {std::uint64_t{0}, std::uint64_t{0}, std::uint64_t{7},
                                     std::uint64_t{7}, std::uint64_t{0}, UINT64_MAX, UINT64_MAX}) {
    char text[base::same_numbers::longest];
    EXPECT_EQ(std::string(text, numbers.put(text, number)), std::to_string(number));
  }
}

TEST(put_hexadecimal, agrees_with_the_standard_library) {
  for (int shift = 0; shift < 64; ++shift) {
    for (const std::uint64_t number :
         {std::uint64_t{1} << shift, (std::uint64_t{1} << shift) - 1, UINT64_MAX >> shift}) {
      char got[16];
      char expected[16];
      EXPECT_EQ(std::string_view(got, base::put_hexadecimal(got, number)),
                std::string_view(expected, std::to_chars(expected, expected + 16, number, 16).ptr));
    }
  }
}

TEST(in_lower_case, changes_the_letters_of_ascii_alone) {
  EXPECT_EQ(base::in_lower_case("Check_POINT @[`{19Z\xc3\x84"), "check_point @[`{19z\xc3\x84");
  EXPECT_EQ(base::in_lower_case(""), "");
}

}  // namespace
