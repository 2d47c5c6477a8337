#include "era/list/delta_name.h"

#include <gtest/gtest.h>

namespace {

using era::delta_name;
using era::parse_delta_name;
using era::since_state;

TEST(delta_name, is_read_back) {
  EXPECT_EQ(delta_name({17, 128, 1024, 16}), "era-17-1024x128");
  for (const since_state& state :
       {since_state{17, 128, 1024, 16}, {0, 8, 0, 0}, {UINT32_MAX, 2048, UINT32_MAX, 4294967294}}) {
    EXPECT_EQ(parse_delta_name(delta_name(state)), state);
  }
}

TEST(delta_name, never_says_that_the_current_era_is_later_than_it_can_have_been) {
  EXPECT_EQ(parse_delta_name("era-5-10x128")->current_era, 4U);
}

TEST(delta_name, that_is_another_is_none) {
  for (const char* const name :
       {"", "era-", "era-5", "era-5-10", "era-5-10x", "era-5-10x12", "era-5x10-128", "era--10x128",
        "era-5-10x128 ", "era-05-10x128", "era-4294967296-10x128", "era-5-4294967296x128",
        "era-5-10x0", "snap", "Era-5-10x128", "era-5-10x128x8"}) {
    EXPECT_FALSE(parse_delta_name(name)) << name;
  }
}

}  // namespace
