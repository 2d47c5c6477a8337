#include "base/sha256.h"

#include <gtest/gtest.h>

namespace {

TEST(sha256, is_that_of_the_standard) {
  base::sha256 of_nothing;
  EXPECT_EQ(of_nothing.hexadecimal(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  base::sha256 of_abc;
  of_abc.add("a");
  of_abc.add("bc");
  EXPECT_EQ(of_abc.hexadecimal(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
