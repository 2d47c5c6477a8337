#include "base/cache_credit.h"

#include <gtest/gtest.h>

namespace {

TEST(cache_credit, is_soon_used_up_where_nothing_is_cached) {
  base::cache_credit credit;
  int asked = 0;
  for (; credit.is_left(); ++asked) {
    credit.miss();
  }
  EXPECT_LE(asked, 2);
}

TEST(cache_credit, stays_where_nearly_everything_is_cached) {
  base::cache_credit credit;
  for (int i = 0; i < 10'000; ++i) {
    i % 20 == 19 ? credit.miss() : credit.hit();
    ASSERT_TRUE(credit.is_left()) << i;
  }
}

TEST(cache_credit, does_not_pile_up) {
  base::cache_credit credit;
  for (int i = 0; i < 10'000; ++i) {
    credit.hit();
  }
  int asked = 0;
  for (; credit.is_left(); ++asked) {
    credit.miss();
  }
  EXPECT_LE(asked, 200);
}

}  // namespace
