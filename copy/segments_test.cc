#include "copy/segments.h"

#include <gtest/gtest.h>

#include <string>

namespace {

using copy::segment;
using kind = copy::segment::kind;

const std::byte* bytes_of(const std::string& text) {
  return reinterpret_cast<const std::byte*>(text.data());
}

std::vector<segment> segments_of(std::uint64_t first, const std::string& bytes,
                                 const std::string* present = nullptr, bool sparse = true) {
  return copy::segments_of({first, first + bytes.size()}, bytes_of(bytes),
                           present == nullptr ? nullptr : bytes_of(*present), sparse);
}

TEST(segments, are_cut_where_zeros_begin_and_end) {
  const std::string bytes =
      std::string(8192, 'x') + std::string(65536, '\0') + std::string(4096, 'y');
  EXPECT_EQ(segments_of(4096, bytes), (std::vector<segment>{{kind::data, {4096, 12288}},
                                                            {kind::zeros, {12288, 77824}},
                                                            {kind::data, {77824, 81920}}}));
}

TEST(segments, have_no_holes_that_are_not_worth_it) {
  const std::string bytes = std::string(4096, 'x') + std::string(65536 - 4096, '\0');
  EXPECT_EQ(segments_of(0, bytes), (std::vector<segment>{{kind::data, {0, 65536}}}));
  const std::string zeros(4096, '\0');
  EXPECT_EQ(segments_of(8192, zeros), (std::vector<segment>{{kind::zeros, {8192, 12288}}}));
}

TEST(segments, see_a_single_byte) {
  for (const std::size_t at : {0UL, 1UL, 4095UL, 65535UL}) {
    std::string bytes(65536, '\0');
    bytes[at] = 1;
    EXPECT_EQ(segments_of(0, bytes), (std::vector<segment>{{kind::data, {0, 65536}}})) << at;
  }
}

TEST(segments, of_zeros_are_data_where_no_holes_are_wanted) {
  EXPECT_EQ(segments_of(0, std::string(8192, '\0'), nullptr, false),
            (std::vector<segment>{{kind::data, {0, 8192}}}));
}

TEST(segments, leave_what_is_equal) {
  std::string bytes(5 * 4096, 'x');
  std::string present = bytes;
  present[2 * 4096] = 'y';
  EXPECT_EQ(segments_of(0, bytes, &present), (std::vector<segment>{{kind::equal, {0, 8192}},
                                                                   {kind::data, {8192, 12288}},
                                                                   {kind::equal, {12288, 20480}}}));
  bytes.assign(bytes.size(), '\0');
  EXPECT_EQ(segments_of(0, bytes, &bytes), (std::vector<segment>{{kind::equal, {0, 20480}}}));
}

TEST(segments, keep_to_the_units_of_the_device) {
  // The first and the last unit are cut by the piece.
  const std::string bytes =
      std::string(512, 'x') + std::string(65536, '\0') + std::string(1024, 'y');
  EXPECT_EQ(segments_of(3584, bytes), (std::vector<segment>{{kind::data, {3584, 4096}},
                                                            {kind::zeros, {4096, 69632}},
                                                            {kind::data, {69632, 70656}}}));
}

}  // namespace
