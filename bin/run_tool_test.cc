#include <gtest/gtest.h>

#include <new>
#include <nlohmann/json.hpp>
#include <stdexcept>

#include "base/error.h"
#include "bin/command_line.h"

namespace {

using cli::arguments;
using cli::exit_status;

const cli::command tool{"era_tool",
                        "[options] {device|file}",
                        "Does something.",
                        {cli::output_option,
                         cli::quiet_option,
                         {'r', "repair", nullptr, "go on"},
                         {0, "format", "FORMAT", "text or json"}}};

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

TEST(run_tool, says_that_memory_has_run_out_where_a_length_is_impossible) {
  const outcome got = run(
      {"m"}, [](const arguments&) -> exit_status { throw std::length_error("vector::reserve"); });
  EXPECT_EQ(got.err, "era_tool: out of memory\n");
}

TEST(run_tool, is_quiet_about_a_wrong_command_line_as_well) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"-q", "--bogus"},
                                             {"--bogus", "-q"},
                                             {"--bogus", "--quiet", "m"},
                                             {"-rq", "m", "m"},
                                             {"-rqo"},
                                             {"--format", "json", "-z", "-q"}}) {
    const outcome got = run(words, succeed);
    EXPECT_EQ(got.status, 1);
    EXPECT_EQ(got.out + got.err, "") << words[0];
  }
}

TEST(run_tool, is_not_quiet_where_that_was_not_asked_for) {
  for (const auto& words : std::vector<std::vector<const char*>>{{"-o", "-q", "--bogus"},
                                                                 {"-oq", "--bogus"},
                                                                 {"-roq", "--bogus"},
                                                                 {"--output", "--quiet", "--bogus"},
                                                                 {"--format=--quiet", "--bogus"},
                                                                 {"--bogus", "--", "-q"},
                                                                 {"--quiet=yes", "m"},
                                                                 {"--bogus", "--quiets"}}) {
    const outcome got = run(words, succeed);
    EXPECT_EQ(got.status, 1);
    EXPECT_NE(got.err, "") << words[0];
  }
}

exit_status fail(const arguments& given) {
  throw base::data_error(given.input() + ": damaged.");
}

TEST(run_tool, tells_a_failure_in_json_where_that_is_the_format) {
  for (const auto& words : std::vector<std::vector<const char*>>{
           {"--format", "json", "m"}, {"--format=json", "m"}, {"m", "--format=json"}}) {
    const outcome got = run(words, fail);
    EXPECT_EQ(got.status, 1);
    EXPECT_EQ(got.err, "m: damaged.\n");
    EXPECT_EQ(got.out, "{\n  \"tool\": \"era_tool\",\n  \"version\": \"" ERA_TOOLS_VERSION
                       "\",\n  \"file\": \"m\",\n  \"error\": \"m: damaged.\"\n}\n");
  }
  EXPECT_EQ(run({"--format", "text", "m"}, fail).out, "");
  EXPECT_EQ(run({"m"}, fail).out, "");
}

TEST(run_tool, tells_a_wrong_command_line_in_json) {
  for (const auto& words :
       std::vector<std::vector<const char*>>{{"--format", "json", "--bogus", "m"},
                                             {"--bogus", "m", "--format=json"},
                                             {"m", "n", "--format=json"},
                                             {"--format=json", "-o", "a", "-o", "b", "--", "m"}}) {
    const outcome got = run(words, succeed);
    EXPECT_EQ(got.status, 1);
    const auto object = nlohmann::json::parse(got.out, nullptr, false);
    ASSERT_TRUE(object.is_object()) << got.out;
    EXPECT_EQ(object.at("file"), "m");
    EXPECT_EQ(object.at("error").get<std::string>() + "\n", got.err);
  }
}

TEST(run_tool, tells_no_failure_in_json_that_the_result_tells) {
  const outcome got = run({"--format=json", "m"}, [](const arguments&) -> exit_status {
    throw cli::reported_error("m: damaged.");
  });
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.out, "");
  EXPECT_EQ(got.err, "m: damaged.\n");
}

TEST(run_tool, prints_no_json_when_told_to_be_quiet) {
  const outcome got = run({"--format=json", "-q", "m"}, fail);
  EXPECT_EQ(got.status, 1);
  EXPECT_EQ(got.out + got.err, "");
}

TEST(run_tool, tells_in_json_that_memory_has_run_out) {
  const outcome got =
      run({"--format=json", "m"}, [](const arguments&) -> exit_status { throw std::bad_alloc(); });
  EXPECT_EQ(nlohmann::json::parse(got.out).at("error"), "era_tool: out of memory");
}

}  // namespace
