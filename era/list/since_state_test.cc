#include "era/list/since_state.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace {

using era::since_state;

constexpr since_state some{7, 128, 1000, 6};

std::string refusal_of(const std::string& text) {
  try {
    era::decode_since_state(text, "state");
  } catch (const base::data_error& e) {
    return e.what();
  }
  return "";
}

TEST(since_state, is_read_as_it_was_written) {
  EXPECT_EQ(era::decode_since_state(era::encode_since_state(some), "state"), some);
  EXPECT_EQ(era::encode_since_state(some),
            "{\n  \"version\": 1,\n  \"next_since\": 7,\n  \"block_size_sectors\": 128,\n"
            "  \"nr_blocks\": 1000,\n  \"current_era\": 6,\n  \"in_progress\": false\n}\n");
}

TEST(since_state, may_have_members_that_are_not_known) {
  std::string text = era::encode_since_state(some);
  text.replace(text.find("  \"next"), 2, "  \"something\": {\"a\": [1, 2]},\n");
  EXPECT_EQ(era::decode_since_state(text, "state"), some);
}

TEST(since_state, says_nothing_by_what_is_within_a_member) {
  std::string text = era::encode_since_state(some);
  text.replace(text.find("  \"next"), 2, "  \"a\": {\"nr_blocks\": 1, \"in_progress\": true},\n  ");
  text.replace(text.rfind("\n}"), 2, ",\n  \"b\": [{\"current_era\": 1}]\n}");
  EXPECT_EQ(era::decode_since_state(text, "state"), some);
}

TEST(since_state, says_whether_a_copy_is_in_progress) {
  era::since_state copying = some;
  copying.in_progress = true;
  std::string text = era::encode_since_state(copying);
  EXPECT_EQ(era::decode_since_state(text, "state"), copying);
  const std::string member = ",\n  \"in_progress\": true";
  std::string without = text;
  without.replace(without.find(member), member.size(), "");
  EXPECT_EQ(era::decode_since_state(without, "state"), some);
  text.replace(text.find("true"), 4, "1");
  EXPECT_NE(refusal_of(text).find("its 'in_progress' is not true or false"), std::string::npos);
}

TEST(since_state, is_refused_if_it_is_cut_off_anywhere) {
  const std::string text = era::encode_since_state(some);
  for (std::size_t length = 0; length + 2 < text.size(); ++length) {
    EXPECT_NE(refusal_of(text.substr(0, length)).find("not a state that a list left"),
              std::string::npos)
        << length;
  }
}

TEST(since_state, is_refused_with_any_number_wrong) {
  const std::string text = era::encode_since_state(some);
  for (const std::string number : {": 1,", ": 7", ": 128", ": 1000", ": 6"}) {
    for (const std::string wrong : {": -1", ": 1.5", ": \"7\"", ": 4294967296", ": null", ": []",
                                    ": 99999999999999999999999", ": 1e3"}) {
      std::string changed = text;
      changed.replace(changed.find(number), number.size(),
                      wrong + (number.back() == ',' ? "," : ""));
      EXPECT_NE(refusal_of(changed), "") << changed;
    }
  }
  EXPECT_NE(refusal_of("[]"), "");
  EXPECT_NE(refusal_of("7"), "");
  EXPECT_NE(refusal_of(std::string(70000, '[')), "");
}

TEST(since_state, of_a_newer_version_is_refused_as_such) {
  std::string text = era::encode_since_state(some);
  text.replace(text.find(": 1,"), 4, ": 2,");
  EXPECT_NE(refusal_of(text).find("a newer version"), std::string::npos);
}

}  // namespace
