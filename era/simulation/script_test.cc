#include "era/simulation/script.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using era::outcome;
using era::parse_command;
using era::script_command;
using era::text_of;
using era::verb;
using numbers = std::vector<std::uint64_t>;

struct line {
  const char* text;
  verb what;
  numbers with = {};
  const char* rest = "";
};

// Every command as text_of() writes it.
const std::vector<line> lines = {
    {"device era-metadata 8192", verb::device, {8192}, "era-metadata"},
    {"create 0 800 era meta data 8", verb::create, {}, "0 800 era meta data 8"},
    {"load 0 800 era meta data 8", verb::load, {}, "0 800 era meta data 8"},
    {"resume", verb::resume},
    {"suspend", verb::suspend},
    {"reload 0 400 era meta data 8", verb::reload, {}, "0 400 era meta data 8"},
    {"remove", verb::remove},
    {"write 0 8", verb::write, {0, 8}},
    {"write_zeroes 8 16", verb::write_zeroes, {8, 16}},
    {"discard 3 1", verb::discard, {3, 1}},
    {"read 36028797018963967 0", verb::read, {36028797018963967, 0}},
    {"flush", verb::flush},
    {"message take_metadata_snap", verb::message, {}, "take_metadata_snap"},
    {"message two words", verb::message, {}, "two words"},
    {"status", verb::status},
    {"table", verb::table},
    {"step", verb::step},
    {"step 30", verb::step, {30}},
    {"settle", verb::settle},
    {"power_cut", verb::power_cut},
    {"power_cut 7", verb::power_cut, {7}},
    {"power_cut_after 40", verb::power_cut_after, {40}},
    {"power_cut_after 0 7", verb::power_cut_after, {0, 7}},
};

void expect(const std::optional<script_command>& command, const line& as, outcome expected) {
  ASSERT_TRUE(command) << as.text;
  EXPECT_EQ(command->what, as.what) << as.text;
  EXPECT_EQ(command->expected, expected) << as.text;
  EXPECT_EQ(command->numbers, as.with) << as.text;
  EXPECT_EQ(command->text, as.rest) << as.text;
}

std::string fault_in(const std::string& text) {
  return message_of<base::data_error>([&] { parse_command(text); });
}

TEST(parse_command, knows_every_command) {
  for (const line& l : lines) {
    expect(parse_command(l.text), l, outcome::success);
  }
}

TEST(parse_command, undoes_text_of) {
  for (const line& l : lines) {
    for (const char* const mark : {"", "! ", "- "}) {
      EXPECT_EQ(text_of(parse_command(mark + std::string(l.text)).value()),
                mark + std::string(l.text));
    }
  }
}

TEST(parse_command, takes_a_mark_for_failure_with_or_without_a_blank_behind_it) {
  for (const line& l : lines) {
    expect(parse_command("!" + std::string(l.text)), l, outcome::failure);
    expect(parse_command("!  " + std::string(l.text)), l, outcome::failure);
    expect(parse_command("-" + std::string(l.text)), l, outcome::any);
    expect(parse_command(" -\t" + std::string(l.text)), l, outcome::any);
  }
}

TEST(parse_command, has_no_use_for_blanks_around_words) {
  expect(parse_command("\t write   0\t8 \r"), {"", verb::write, {0, 8}}, outcome::success);
  expect(parse_command("  message   checkpoint  "), {"", verb::message, {}, "checkpoint"},
         outcome::success);
  expect(parse_command("device\tmeta\t8"), {"", verb::device, {8}, "meta"}, outcome::success);
}

TEST(parse_command, finds_nothing_in_blank_lines_and_comments) {
  for (const char* const text : {"", " ", "\t\r", "#", "# write 0 8", "   # ! create"}) {
    EXPECT_FALSE(parse_command(text)) << text;
  }
}

TEST(parse_command, keeps_the_blanks_within_a_table_or_message) {
  expect(parse_command("create 0  800 era a b 8 # no comment"),
         {"", verb::create, {}, "0  800 era a b 8 # no comment"}, outcome::success);
}

TEST(parse_command, names_an_unknown_command) {
  for (const char* const text : {"checkpoint", "! checkpoint now", "-checkpoint"}) {
    EXPECT_EQ(fault_in(text), "unknown command 'checkpoint'; era_simulate(8) lists all");
  }
  EXPECT_EQ(fault_in("Write 0 8"), "unknown command 'Write'; era_simulate(8) lists all");
  EXPECT_EQ(fault_in("!"), "a command is missing; era_simulate(8) lists all");
  EXPECT_EQ(fault_in("!! resume"), "unknown command '!'; era_simulate(8) lists all");
}

TEST(parse_command, says_what_it_expected) {
  EXPECT_EQ(fault_in("write 0"), "'write' with 1 number; expected: write <sector> <sectors>");
  EXPECT_EQ(fault_in("read 1 2 3"), "'3' is too much; expected: read <sector> <sectors>");
  EXPECT_EQ(fault_in("write_zeroes"),
            "'write_zeroes' with 0 numbers; expected: write_zeroes <sector> <sectors>");
  EXPECT_EQ(fault_in("discard 1 x"), "'x' is not a number; expected: discard <sector> <sectors>");
  EXPECT_EQ(fault_in("step 1 2"), "'2' is too much; expected: step [<count>]");
  EXPECT_EQ(fault_in("resume now"), "'now' is too much; expected: resume");
  EXPECT_EQ(fault_in("resume 1"), "'1' is too much; expected: resume");
  EXPECT_EQ(fault_in("power_cut 1 2"), "'2' is too much; expected: power_cut [<seed>]");
  EXPECT_EQ(fault_in("power_cut_after"),
            "'power_cut_after' with 0 numbers; expected: power_cut_after <writes> [<seed>]");
  EXPECT_EQ(fault_in("device meta"), "'device' with 0 numbers; expected: device <file> <size>");
  EXPECT_EQ(fault_in("device"),
            "something is missing after 'device'; expected: device <file> <size>");
  EXPECT_EQ(fault_in("create"),
            "something is missing after 'create'; expected: create <table line>");
  EXPECT_EQ(fault_in("- message "),
            "something is missing after 'message'; expected: message <text>");
}

TEST(parse_command, takes_sizes_of_files_in_sectors_or_with_a_unit) {
  for (const auto& [size, sectors] : std::vector<std::pair<std::string, std::uint64_t>>{
           {"7", 7}, {"7s", 7}, {"7S", 7}, {"1k", 2}, {"1K", 2}, {"3m", 6144}, {"1G", 2097152}}) {
    EXPECT_EQ(parse_command("device meta " + size)->numbers, numbers{sectors}) << size;
  }
  EXPECT_EQ(fault_in("device meta s"), "'s' is not a size; expected: device <file> <size>");
  EXPECT_EQ(fault_in("device meta 8589934592g"),
            "'8589934592g' is too large, the most is 8589934591g; expected: device <file> <size>");
}

TEST(parse_command, takes_no_control_characters) {
  EXPECT_EQ(fault_in(std::string("flush\0", 6)),
            "a control character, byte 0, so this is no script");
  EXPECT_EQ(fault_in("# \x1b[2J"), "a control character, byte 27, so this is no script");
}

TEST(parse_command, takes_no_number_that_is_too_large_or_signed) {
  EXPECT_EQ(parse_command("step 36028797018963967")->numbers, (numbers{UINT64_MAX / 512}));
  for (const char* const number : {"36028797018963968", "99999999999999999999"}) {
    EXPECT_EQ(fault_in(std::string("step ") + number),
              "'" + std::string(number) +
                  "' is too large, the most is 36028797018963967; expected: step [<count>]");
  }
  for (const char* const number : {"-1", "+1", "0x8", "1k"}) {
    EXPECT_EQ(fault_in(std::string("step ") + number),
              "'" + std::string(number) + "' is not a number; expected: step [<count>]");
  }
}

}  // namespace
