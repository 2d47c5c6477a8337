#include "bin/command_line.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using cli::arguments;
using cli::exit_status;

const cli::command tool{"era_tool",
                        "[options] {device|file}",
                        "Does something.",
                        {{'o', "output", "FILE", "write to FILE"},
                         {'q', "quiet", nullptr, "print nothing"},
                         {0, "written-since", "ERA", "the first era that counts"},
                         {0, "metadata-snapshot", nullptr, "read the snapshot", "metadata-snap"}}};

arguments parse(std::vector<const char*> words, const cli::command& spec = tool) {
  words.insert(words.begin(), "era_tool");
  return cli::parse(spec, static_cast<int>(words.size()), words.data());
}

std::string refusal_of(const std::vector<const char*>& words, const cli::command& spec = tool) {
  return message_of<base::usage_error>([&] { parse(words, spec); });
}

TEST(command_line, takes_long_and_short_options) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"--output", "file", "--quiet", "meta"},
                                             {"--output=file", "meta", "--quiet"},
                                             {"-o", "file", "-q", "meta"},
                                             {"-qofile", "meta"},
                                             {"meta", "-qo", "file"}}) {
    const arguments given = parse(words);
    EXPECT_TRUE(given.has("quiet"));
    EXPECT_EQ(given.value("output"), "file");
    EXPECT_EQ(given.input(), "meta");
    EXPECT_FALSE(given.has("written-since"));
  }
}

TEST(command_line, takes_what_follows_two_dashes_as_file) {
  EXPECT_EQ(parse({"--", "--quiet"}).input(), "--quiet");
  EXPECT_FALSE(parse({"--", "--quiet"}).has("quiet"));
}

TEST(command_line, gives_a_default_for_what_was_not_said) {
  EXPECT_EQ(parse({"meta"}).value("output", "-"), "-");
  EXPECT_EQ(parse({"meta"}).value("output"), "");
}

TEST(command_line, knows_options_by_another_name) {
  EXPECT_TRUE(parse({"--metadata-snap", "meta"}).has("metadata-snapshot"));
  EXPECT_TRUE(parse({"--metadata-snapshot", "meta"}).has("metadata-snapshot"));
}

TEST(command_line, refuses_an_option_given_twice_with_a_value) {
  EXPECT_EQ(refusal_of({"-o", "a", "--output", "b", "meta"}),
            "option '--output' is given twice, with 'a' and 'b'; give one.");
  EXPECT_EQ(refusal_of({"--written-since=5", "meta", "--written-since", "5"}),
            "option '--written-since' is given twice, with '5' and '5'; give one.");
}

TEST(command_line, takes_an_option_without_a_value_as_often_as_it_is_given) {
  EXPECT_TRUE(parse({"-q", "--quiet", "-qq", "meta"}).has("quiet"));
  EXPECT_TRUE(parse({"--metadata-snap", "--metadata-snapshot", "meta"}).has("metadata-snapshot"));
}

TEST(command_line, refuses_abbreviated_options_and_says_what_was_meant) {
  EXPECT_EQ(refusal_of({"--out", "a"}), "unknown option '--out'; did you mean '--output'?");
  EXPECT_EQ(refusal_of({"--metadata", "a"}),
            "unknown option '--metadata'; did you mean '--metadata-snapshot'?");
}

TEST(command_line, says_what_a_misspelt_option_was_meant_to_be) {
  EXPECT_EQ(refusal_of({"--quite", "a"}), "unknown option '--quite'; did you mean '--quiet'?");
  EXPECT_EQ(refusal_of({"--writen-since=5", "a"}),
            "unknown option '--writen-since=5'; did you mean '--written-since'?");
}

TEST(command_line, refuses_what_is_no_option_at_all) {
  EXPECT_EQ(refusal_of({"--xyzzyxyzzy", "a"}), "unknown option '--xyzzyxyzzy'.");
  EXPECT_EQ(refusal_of({"---quiet", "a"}), "unknown option '---quiet'; did you mean '--quiet'?");
  EXPECT_EQ(refusal_of({"--=a"}), "unknown option '--=a'.");
  EXPECT_EQ(refusal_of({"--files", "a"}), "unknown option '--files'.");
  EXPECT_EQ(refusal_of({"--files=a"}), "unknown option '--files'.");
}

TEST(command_line, refuses_unknown_short_options) {
  EXPECT_NE(refusal_of({"-x", "a"}).find("unknown option '-x'"), std::string::npos);
}

TEST(command_line, refuses_an_option_without_its_argument) {
  EXPECT_EQ(refusal_of({"meta", "--output"}), "option '--output' needs an argument: FILE.");
  EXPECT_EQ(refusal_of({"meta", "-o"}), "option '--output' needs an argument: FILE.");
}

TEST(command_line, takes_no_option_for_the_argument_of_another) {
  for (const char* const word : {"-q", "--quiet", "--written-since", "--metadata-snap"}) {
    EXPECT_EQ(refusal_of({"--output", word, "5", "meta"}),
              "option '--output' needs an argument: FILE.")
        << word;
  }
  EXPECT_EQ(parse({"--output=--quiet", "meta"}).value("output"), "--quiet");
  EXPECT_EQ(parse({"-o--quiet", "meta"}).value("output"), "--quiet");
}

TEST(command_line, refuses_empty_names) {
  EXPECT_EQ(refusal_of({"meta", "--output="}), "option '--output' needs an argument: FILE.");
  EXPECT_EQ(refusal_of({"meta", "--output", ""}), "option '--output': the FILE given is empty.");
  EXPECT_EQ(refusal_of({"meta", "-o", ""}), "option '-o': the FILE given is empty.");
  EXPECT_EQ(refusal_of({""}), "the name of the input file is empty.");
  EXPECT_EQ(refusal_of({"--", ""}), "the name of the input file is empty.");
}

TEST(command_line, refuses_an_argument_to_an_option_that_takes_none) {
  EXPECT_EQ(refusal_of({"--quiet=yes", "meta"}), "option '--quiet' takes no argument.");
}

TEST(command_line, refuses_a_second_file) {
  EXPECT_EQ(refusal_of({"a", "b", "c"}), "unexpected argument 'b'; one input file is read.");
}

TEST(command_line, refuses_any_file_where_options_name_them) {
  cli::command without_input = tool;
  without_input.most_files = 0;
  EXPECT_EQ(refusal_of({"a"}, without_input),
            "unexpected argument 'a'; files are given by options.");
  EXPECT_NO_THROW(parse({"-q"}, without_input));
}

TEST(command_line, misses_the_input_when_it_is_asked_for) {
  EXPECT_EQ(message_of<base::usage_error>([] { parse({"-q"}).input(); }),
            "No input file provided.");
}

TEST(command_line, says_which_option_took_what_may_be_the_input) {
  const base::test::temporary_folder folder;
  const auto complaint = [](const std::vector<const char*>& words) {
    return message_of<base::usage_error>([&] { parse(words).input(); });
  };
  const std::string name = folder / "metadata";
  base::test::write_file(name, "");
  const std::string none = "No input file provided.";
  EXPECT_EQ(complaint({"-o", name.c_str()}), none + "\n'-o' took '" + name + "' as its FILE.");
  EXPECT_EQ(complaint({"-qo", name.c_str()}), none + "\n'-o' took '" + name + "' as its FILE.");
  EXPECT_EQ(complaint({"-q", "--written-since", name.c_str()}),
            none + "\n'--written-since' took '" + name + "' as its ERA.");
  EXPECT_EQ(complaint({"-o", "/dev/nowhere/at-all"}),
            none + "\n'-o' took '/dev/nowhere/at-all' as its FILE.");
  EXPECT_EQ(complaint({"-o", "no-such-file"}), none);
  EXPECT_EQ(complaint({("-o" + name).c_str()}), none);
  EXPECT_EQ(complaint({("--output=" + name).c_str()}), none);
}

TEST(command_line, takes_standard_input_only_where_it_can_be_read) {
  EXPECT_EQ(parse({"-"}).input(), "-");
  EXPECT_EQ(message_of<base::usage_error>([] { parse({"-"}).device_or_file(); }),
            "-: standard input is not read; give a device or file.");
  EXPECT_EQ(parse({"./-"}).device_or_file(), "./-");
}

TEST(command_line, reads_numbers_within_bounds) {
  EXPECT_EQ(parse({"--written-since", "42", "m"}).number("written-since", 100), 42U);
  for (const char* const text : {"101", "-1", "+1", "0x2A", "4 2", " 4", "4 ", "1e1", "many"}) {
    const std::string given = std::string("--written-since=") + text;
    EXPECT_THROW(parse({given.c_str(), "m"}).number("written-since", 100), base::usage_error)
        << given;
  }
  EXPECT_EQ(message_of<base::usage_error>([] {
              parse({"--written-since", "many", "m"}).number("written-since", 100);
            }),
            "option '--written-since': 'many' is not a decimal number from 0 to 100.");
}

TEST(command_line, takes_one_of_several_choices) {
  EXPECT_EQ(parse({"m"}).choice("output", {"xml", "json"}), "xml");
  EXPECT_EQ(parse({"-o", "json", "m"}).choice("output", {"xml", "json"}), "json");
  EXPECT_EQ(message_of<base::usage_error>([] {
              parse({"-o", "yaml", "m"}).choice("output", {"xml", "json"});
            }),
            "option '--output': 'yaml' is not xml or json.");
}

TEST(command_line, asks_nothing_more_of_those_who_want_help) {
  EXPECT_TRUE(parse({"--help", "a", "b"}).has("help"));
  EXPECT_TRUE(parse({"-V"}).has("version"));
}

TEST(help, lists_every_option) {
  const std::string text = cli::help_text(tool);
  EXPECT_TRUE(
      text.starts_with("Usage: era_tool [options] {device|file}\nDoes something.\n\nOptions:\n"));
  for (const char* const line :
       {"  -o, --output FILE               write to FILE\n",
        "  -q, --quiet                     print nothing\n",
        "      --written-since ERA         the first era that counts\n",
        "      --metadata-snapshot         read the snapshot\n",
        "      --metadata-snap             the same as --metadata-snapshot\n",
        "  -h, --help                      print this help and exit\n",
        "  -V, --version                   print the version and exit\n"}) {
    EXPECT_NE(text.find(line), std::string::npos) << line << "\n" << text;
  }
}

TEST(help, breaks_lines_at_blanks_before_column_80) {
  const cli::command wordy{
      "era_tool",
      "[options] --one FILE --another FILE --and-a-third FILE {device|file|something}",
      "Does something that takes a whole line, and nearly as much of another one, to say.",
      {{0, "about", nullptr,
        "help of exactly the length that fits onto one line...  and goes on after it"},
       {0, "a-name-that-leaves-no-room-for-help", "FILE", "on a line of its own"}}};
  const std::string text = cli::help_text(wordy);
  EXPECT_EQ(text.substr(0, text.find("  -h,")),
            "Usage: era_tool [options] --one FILE --another FILE --and-a-third FILE\n"
            "       {device|file|something}\n"
            "Does something that takes a whole line, and nearly as much of another one, to\n"
            "say.\n"
            "\n"
            "Options:\n"
            "      --about                     help of exactly the length that fits onto one\n"
            "                                  line...  and goes on after it\n"
            "      --a-name-that-leaves-no-room-for-help FILE\n"
            "                                  on a line of its own\n");
}

}  // namespace
