#include "bin/command_line.h"

#include <gtest/gtest.h>

#include <new>
#include <stdexcept>

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

TEST(command_line, takes_the_last_of_an_option_given_twice) {
  EXPECT_EQ(parse({"-o", "a", "--output", "b", "meta"}).value("output"), "b");
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

TEST(command_line, suggests_nothing_for_what_is_like_no_option) {
  EXPECT_EQ(refusal_of({"--xyzzyxyzzy", "a"}), "unknown option '--xyzzyxyzzy'.");
}

TEST(command_line, refuses_unknown_short_options) {
  EXPECT_NE(refusal_of({"-x", "a"}).find("unknown option '-x'"), std::string::npos);
}

TEST(command_line, refuses_an_option_without_its_argument) {
  EXPECT_EQ(refusal_of({"meta", "--output"}), "option '--output' needs an argument: FILE.");
  EXPECT_EQ(refusal_of({"meta", "-o"}), "option '--output' needs an argument: FILE.");
  EXPECT_EQ(refusal_of({"meta", "--output="}), "option '--output' needs an argument: FILE.");
}

TEST(command_line, refuses_an_argument_to_an_option_that_takes_none) {
  EXPECT_EQ(refusal_of({"--quiet=yes", "meta"}), "option '--quiet' takes no argument.");
}

TEST(command_line, refuses_a_second_file) {
  EXPECT_EQ(refusal_of({"a", "b", "c"}), "unexpected argument 'b'; one input file is read.");
}

TEST(command_line, refuses_any_file_where_options_name_them) {
  cli::command without_input = tool;
  without_input.takes_input = false;
  EXPECT_EQ(refusal_of({"a"}, without_input),
            "unexpected argument 'a'; files are given by options.");
  EXPECT_NO_THROW(parse({"-q"}, without_input));
}

TEST(command_line, misses_the_input_when_it_is_asked_for) {
  EXPECT_EQ(message_of<base::usage_error>([] { parse({"-q"}).input(); }),
            "No input file provided.");
}

TEST(command_line, reads_numbers_within_bounds) {
  EXPECT_EQ(parse({"--written-since", "42", "m"}).number("written-since", 100), 42U);
  for (const char* const text : {"101", "", "-1", "0x2A", "4 2", "many"}) {
    const std::string given = std::string("--written-since=") + text;
    EXPECT_THROW(parse({given.c_str(), "m"}).number("written-since", 100), base::usage_error)
        << given;
  }
  EXPECT_EQ(message_of<base::usage_error>([] {
              parse({"--written-since", "many", "m"}).number("written-since", 100);
            }),
            "option '--written-since': 'many' is not a number from 0 to 100.");
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

// What a run of the tool prints, and its exit status.
struct outcome {
  int status;
  std::string out;
  std::string err;
};

outcome run(std::vector<const char*> words,
            const std::function<exit_status(const arguments&)>& body) {
  words.insert(words.begin(), "era_tool");
  testing::internal::CaptureStdout();
  testing::internal::CaptureStderr();
  const int status = cli::run_tool(tool, static_cast<int>(words.size()), words.data(), body);
  return {status, testing::internal::GetCapturedStdout(), testing::internal::GetCapturedStderr()};
}

exit_status succeed(const arguments&) {
  return exit_status::success;
}

TEST(run_tool, gives_the_status_of_what_it_runs) {
  EXPECT_EQ(run({"m"}, succeed).status, 0);
  EXPECT_EQ(run({"m"}, [](const arguments&) { return exit_status::failure; }).status, 1);
}

TEST(run_tool, prints_help_and_version_without_running_anything) {
  const auto never = [](const arguments&) {
    ADD_FAILURE();
    return exit_status::failure;
  };
  for (const char* const word : {"--help", "-h"}) {
    const outcome got = run({word}, never);
    EXPECT_EQ(got.status, 0);
    EXPECT_EQ(got.out, cli::help_text(tool));
    EXPECT_EQ(got.err, "");
  }
  for (const char* const word : {"--version", "-V"}) {
    EXPECT_EQ(run({word}, never).out, std::string(ERA_TOOLS_VERSION) + "\n");
  }
}

TEST(run_tool, prints_what_is_wrong_with_the_command_line_and_points_to_help) {
  const outcome got = run({"--quite"}, succeed);
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.out, "");
  EXPECT_EQ(got.err, "unknown option '--quite'; did you mean '--quiet'?\nTry 'era_tool --help'.\n");
}

TEST(run_tool, prints_errors_on_standard_error) {
  const outcome got =
      run({"m"}, [](const arguments&) -> exit_status { throw base::data_error("m: damaged."); });
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.out, "");
  EXPECT_EQ(got.err, "m: damaged.\n");
}

TEST(run_tool, says_that_memory_has_run_out) {
  const outcome got = run({"m"}, [](const arguments&) -> exit_status { throw std::bad_alloc(); });
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.err, "era_tool: out of memory\n");
}

TEST(run_tool, prints_no_error_when_told_to_be_quiet) {
  const outcome got = run(
      {"-q", "m"}, [](const arguments&) -> exit_status { throw base::data_error("m: damaged."); });
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.err, "");
}

TEST(run_tool, has_no_word_for_a_broken_pipe) {
  const outcome got =
      run({"m"}, [](const arguments&) -> exit_status { throw base::broken_pipe(); });
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.err, "");
}

}  // namespace
