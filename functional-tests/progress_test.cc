// The progress that long runs show: on a terminal or where it is asked for, and nowhere else.
#include <string>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::bench;

using words = std::vector<std::string>;

const words tools_with_progress = {"era_check", "era_dump", "era_invalidate", "era_repair",
                                   "era_restore"};

// Runs a tool with a terminal as its standard error; `out` gets what came there.
harness::result on_a_terminal(const bench& bench, const std::string& tool, const words& more) {
  words call = {harness::tool(tool)};
  for (const auto& word : bench.arguments(tool, bench.good_input(tool), more)) {
    call.push_back(word);
  }
  std::string line;
  for (const auto& word : call) {
    line += "'" + word + "' ";
  }
  return harness::run({"script", "-qec", line + ">/dev/null", "/dev/null"});
}

}  // namespace

TEST_CASE("progress is shown where it is asked for, with percent, rate and time left") {
  const bench bench;
  for (const auto& tool : tools_with_progress) {
    const auto got = bench.read(tool, bench.good_input(tool), {"--progress", "always"});
    INFO(tool << ": " << got.err);
    CHECK(got.status == 0);
    CHECK_THAT(got.err, Contains(" %  ") && Contains("/s") && Contains(" left\n"));
    CHECK_THAT(got.err, !Contains("\r") && !Contains("\033"));
  }
}

TEST_CASE("no progress is shown in a pipe, with never, or with -q") {
  const bench bench;
  for (const auto& tool : tools_with_progress) {
    INFO(tool);
    CHECK(bench.read(tool, bench.good_input(tool)).err == "");
    CHECK(bench.read(tool, bench.good_input(tool), {"--progress=auto"}).err == "");
    CHECK(bench.read(tool, bench.good_input(tool), {"--progress=never"}).err == "");
  }
  for (const std::string tool : {"era_check", "era_repair", "era_restore"}) {
    INFO(tool);
    CHECK(bench.read(tool, bench.good_input(tool), {"-q", "--progress=always"}).err == "");
  }
}

TEST_CASE("progress on a terminal is one line, which goes away") {
  if (harness::run({"bash", "-c", "command -v script"}).status != 0) {
    WARN("skipped: script, which makes terminals, is not here");
    return;
  }
  const bench bench;
  for (const auto& tool : tools_with_progress) {
    const auto got = on_a_terminal(bench, tool, {"--progress", "always"});
    INFO(tool << ": " << got.out);
    CHECK(got.status == 0);
    CHECK_THAT(got.out, Catch::StartsWith("\r") && Contains(" %  ") && Catch::EndsWith("\r\033[K"));
    CHECK_THAT(got.out, !Contains("\n"));
    CHECK(on_a_terminal(bench, tool, {}).out == "");
  }
}
