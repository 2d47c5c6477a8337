// --live NAME where it cannot work: with what does not go with it, and for a device that does not
// exist. What it does with real devices, the tests on a real kernel show.
#include <nlohmann/json.hpp>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::StartsWith;
using fixtures::bench;
using fixtures::call;

using words = std::vector<std::string>;

// No device of this machine has such a name.
const std::string nowhere = "era-tools-no-such-device";

// What the tool needs beside its input.
words needed_by(const std::string& tool) {
  return tool == "era_invalidate" ? words{"--written-since", "0"} : words{};
}

harness::result call_with(const std::string& tool, const words& options,
                          const harness::run_options& how = {}) {
  words all = needed_by(tool);
  all.insert(all.end(), options.begin(), options.end());
  return call(tool, all, how);
}

void check_misused(const std::string& tool, const words& options, const std::string& fact) {
  const auto result = call_with(tool, options);
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK(result.err == fact + "\nTry '" + tool + " --help'.\n");
}

}  // namespace

TEST_CASE("a live device is named instead of a file, and its options go with nothing else") {
  const bench bench;
  const auto& m = bench.metadata;
  for (const auto& tool : harness::readers()) {
    INFO(tool);
    check_misused(tool, {"--live", nowhere, m},
                  "'" + m + "' and --live: give a device or file, or a live device.");
    check_misused(tool, {"--live", nowhere, "--metadata-snapshot"},
                  "--live takes a metadata snapshot of its own; leave --metadata-snapshot out.");
    for (const std::string option : {"keep", "replace-snapshot"}) {
      const std::string fact = "option '--" + option + "' goes with --live NAME only.";
      check_misused(tool, {"--" + option, m}, fact);
      check_misused(tool, {"--" + option, "--metadata-snapshot", m}, fact);
    }
    check_misused(tool, {"--live"}, "option '--live' needs an argument: NAME.");
  }
}

TEST_CASE("a live device that does not exist is one error") {
  const bench bench;
  for (const auto& tool : harness::readers()) {
    for (const auto& name : {nowhere, "/dev/mapper/" + nowhere, bench.metadata, bench.path()}) {
      const auto result = call_with(tool, {"--live", name});
      INFO(tool << ": " << result.err);
      CHECK(result.status == 1);
      CHECK(result.out == "");
      // Where there is no device mapper, or one that may not be asked, that is said.
      CHECK_THAT(result.err, StartsWith(name + ": no such device of the device mapper\n") ||
                                 StartsWith(name + ": the device mapper cannot be asked"));
    }
  }
}

TEST_CASE("a live device that may not be asked is one error, for another user than root") {
  harness::run_options as_nobody;
  as_nobody.as_nobody = true;
  const auto result = call_with("era_dump", {"--live", nowhere}, as_nobody);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, StartsWith(nowhere + ": the device mapper cannot be asked") &&
                             Contains("Only root may ask"));
}

TEST_CASE("a live device that does not exist leaves the output alone") {
  const bench bench;
  const auto list = bench / "list";
  harness::write_file(list, "of an earlier round");
  CHECK(call_with("era_invalidate", {"--live", nowhere, "-o", list}).status == 1);
  CHECK(harness::read_file(list) == "of an earlier round");
}

TEST_CASE("with --format json a live device that does not exist is an object too") {
  for (const std::string tool : {"era_check", "era_invalidate", "era_stat"}) {
    const auto result = call_with(tool, {"--live", nowhere, "--format", "json"});
    CHECK(result.status == 1);
    const auto object = nlohmann::json::parse(result.out);
    CHECK(object.at("tool") == tool);
    CHECK(object.at("file") == "");
    CHECK(object.at("error").get<std::string>() + "\n" == result.err);
  }
}

TEST_CASE("era_check -q says nothing of a live device that does not exist") {
  const auto result = call("era_check", {"-q", "--live", nowhere});
  CHECK(result.status == 1);
  CHECK(result.out + result.err == "");
}
