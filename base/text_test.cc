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

}  // namespace
