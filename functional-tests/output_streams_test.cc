// Descriptors that are closed or do not wait, signals, and limits: nothing is lost in silence, and
// nothing is left over.
#include <sys/stat.h>

#include <csignal>
#include <cstdio>
#include <filesystem>

#include "catch.h"
#include "faults.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using Catch::Contains;
using Catch::StartsWith;
using fixtures::bench;
using fixtures::names_in;

using words = std::vector<std::string>;

words call_of(const bench& bench, const std::string& tool, const words& options = {}) {
  words command = {harness::tool(tool)};
  const words arguments = bench.arguments(tool, bench.good_input(tool), options);
  command.insert(command.end(), arguments.begin(), arguments.end());
  return command;
}

// Runs a bash script with "$@" the command and $0 the folder of the bench.
harness::result run_in_bash(const bench& bench, const std::string& script, const words& command) {
  words all = {"bash", "-c", script, bench.path()};
  all.insert(all.end(), command.begin(), command.end());
  harness::run_options options;
  options.seconds = 60;
  return harness::run(all, options);
}

// A perl program that makes a stream of its own return at once, and becomes the command.
std::string without_waiting(const std::string& stream) {
  return "use Fcntl; fcntl(" + stream + ", F_SETFL, fcntl(" + stream +
         ", F_GETFL, 0) | O_NONBLOCK) or die; exec @ARGV";
}

}  // namespace

TEST_CASE("a closed standard output is a failure of tools that have a result", "[output]") {
  const bench bench;
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto result = run_in_bash(bench, "\"$@\" >&-", call_of(bench, tool));
      if (tool == "era_restore") {
        CHECK(result.status == 0);
        CHECK(result.err == "");
      } else {
        CHECK(result.status == 1);
        CHECK_THAT(result.err, StartsWith("standard output: Bad file descriptor"));
      }
    }
    DYNAMIC_SECTION(tool << " --version") {
      const auto result = run_in_bash(bench, "\"$@\" >&-", {harness::tool(tool), "--version"});
      CHECK(result.status == 1);
      CHECK_THAT(result.err, StartsWith("standard output: Bad file descriptor"));
    }
  }
}

TEST_CASE("with every stream closed no tool writes anywhere else", "[output]") {
  const bench bench;
  const auto damaged = bench / "damaged";
  fixtures::unpack_damaged(harness::image_named("power_cut"), {harness::superblock::era_array},
                           damaged);
  const auto metadata = harness::read_file(bench.metadata);
  const auto bytes = harness::read_file(damaged);
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool) {
      for (const auto& file : {bench.metadata, damaged}) {
        words command = {harness::tool(tool)};
        const auto arguments = bench.arguments(tool, file);
        command.insert(command.end(), arguments.begin(), arguments.end());
        CHECK(run_in_bash(bench, "\"$@\" <&- >&- 2>&-", command).status == 1);
      }
      CHECK((harness::read_file(bench.metadata) == metadata));
      CHECK((harness::read_file(damaged) == bytes));
    }
  }
}

TEST_CASE("a remark without standard error goes nowhere, and not into metadata", "[output]") {
  const bench bench;
  // Descriptors that are closed, so that files could get any of the three.
  const std::string closed = GENERATE("2>&-", "<&- 2>&-", ">&- 2>&-", "<&- >&- 2>&-");
  SECTION("era_restore " + closed) {
    auto xml = harness::read_file(bench.xml);
    xml.insert(xml.find("uuid="), "unheard_of=\"1\" ");
    harness::write_file(bench.xml, xml);
    const auto expected = bench / "expected";
    harness::make_zeroed(expected, std::filesystem::file_size(bench.device));
    const auto restored = fixtures::call("era_restore", {"-i", bench.xml, "-o", expected});
    CHECK(restored.status == 0);
    CHECK_THAT(restored.err, Contains("unheard_of"));
    CHECK(run_in_bash(bench, "\"$@\" " + closed, call_of(bench, "era_restore")).status == 0);
    CHECK((harness::read_file(bench.device) == harness::read_file(expected)));
  }
  SECTION("era_dump " + closed) {
    const auto damaged = bench / "damaged";
    fixtures::unpack_damaged(harness::image_named("power_cut"), {harness::superblock::era_array},
                             damaged);
    const auto expected = fixtures::call("era_dump", {"--repair", damaged});
    CHECK(expected.err != "");
    const words command = {harness::tool("era_dump"), "--repair", damaged, "-o", bench / "result"};
    CHECK(run_in_bash(bench, "\"$@\" " + closed, command).status == 0);
    CHECK(harness::difference(harness::read_file(bench / "result"), expected.out) == "");
  }
}

TEST_CASE("a closed standard input is a failure where it is read", "[output]") {
  const bench bench;
  const auto result = run_in_bash(bench, "\"$@\" <&-",
                                  {harness::tool("era_restore"), "-i", "-", "-o", bench.device});
  CHECK(result.status == 1);
  CHECK_THAT(result.err, Contains("standard input: Bad file descriptor"));
}

TEST_CASE("a pipe that does not wait gets the whole result", "[output]") {
  const bench bench;
  const auto large = bench / "large";
  harness::image_named("power_cut").unpack(large);
  const auto expected = fixtures::call("era_dump", {large}).out;
  REQUIRE(expected.size() > (1 << 20));
  const auto result =
      run_in_bash(bench, "perl -e '" + without_waiting("STDOUT") + R"(' "$@" | { sleep 0.2; cat; }
                       exit ${PIPESTATUS[0]})",
                  {harness::tool("era_dump"), large});
  CHECK(result.status == 0);
  CHECK(result.err == "");
  CHECK(harness::difference(result.out, expected) == "");
}

TEST_CASE("a standard input that does not wait is read whole", "[output]") {
  const bench bench;
  const auto result = run_in_bash(
      bench,
      "{ sleep 0.2; cat " + bench.xml + "; } | perl -e '" + without_waiting("STDIN") + "' \"$@\"",
      {harness::tool("era_restore"), "-i", "-", "-o", bench.device});
  CHECK(result.status == 0);
  CHECK(result.err == "");
}

TEST_CASE("standard output on the input is refused", "[output]") {
  const bench bench;
  const auto before = harness::read_file(bench.metadata);
  for (const std::string tool : {"era_dump", "era_invalidate"}) {
    for (const std::string redirection : {"1<>", ">>"}) {
      DYNAMIC_SECTION(tool << " " << redirection) {
        const auto result =
            run_in_bash(bench, "\"$@\" " + redirection + bench.metadata, call_of(bench, tool));
        CHECK(result.status == 1);
        CHECK_THAT(result.err, StartsWith("standard output: is the input"));
        CHECK((harness::read_file(bench.metadata) == before));
      }
    }
  }
}

TEST_CASE("what closing standard output says is heard", "[output]") {
  if (!faults::available()) {
    return;
  }
  const bench bench;
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = harness::run(faults::with("close stdout", call_of(bench, tool)));
      CHECK(result.status == 1);
      CHECK(result.err == "standard output: Input/output error\n");
    }
  }
}

TEST_CASE("a signal leaves no temporary file and ends the tool as ever", "[output]") {
  if (!faults::available()) {
    return;
  }
  const bench bench;
  const bool exists = GENERATE(false, true);
  if (exists) {
    harness::write_file(bench / "result", "old");
  }
  const auto names = names_in(bench.path());
  // Once the temporary file is there, the signal comes. (-m: bash lets children in the background
  // ignore INT and QUIT otherwise.)
  const std::string script =
      "set -m; ulimit -c 0; \"${@:2}\" & pid=$!; cd \"$0\";"
      " until compgen -G '.tmp-*' >/dev/null; do sleep 0.01; done;"
      " kill -$1 $pid; wait $pid";
  for (const int number : {SIGINT, SIGTERM, SIGHUP, SIGQUIT}) {
    for (const std::string tool : {"era_dump", "era_invalidate"}) {
      DYNAMIC_SECTION(tool << " " << number << (exists ? " over a file" : "")) {
        words command = {std::to_string(number)};
        const auto call = faults::with("wait", call_of(bench, tool, {"-o", bench / "result"}));
        command.insert(command.end(), call.begin(), call.end());
        const auto result = run_in_bash(bench, script, command);
        CHECK(result.status == 128 + number);
        CHECK(names_in(bench.path()) == names);
        if (exists) {
          CHECK(harness::read_file(bench / "result") == "old");
        }
      }
    }
  }
}

TEST_CASE("a signal that is ignored stays ignored", "[output]") {
  if (!faults::available()) {
    return;
  }
  const bench bench;
  const auto names = names_in(bench.path());
  const std::string script =
      "trap '' HUP; \"$@\" & pid=$!; cd \"$0\";"
      " until compgen -G '.tmp-*' >/dev/null; do sleep 0.01; done;"
      " kill -HUP $pid; sleep 0.1; kill -TERM $pid; wait $pid";
  const auto result = run_in_bash(
      bench, script, faults::with("wait", call_of(bench, "era_dump", {"-o", bench / "result"})));
  CHECK(result.status == 128 + SIGTERM);
  CHECK(names_in(bench.path()) == names);
}

TEST_CASE("a file size limit is a write error", "[output]") {
  const bench bench;
  const auto large = bench / "large";
  harness::image_named("power_cut").unpack(large);
  SECTION("of a result") {
    const auto names = names_in(bench.path());
    const auto result = run_in_bash(bench, "ulimit -f 64; \"$@\"",
                                    {harness::tool("era_dump"), large, "-o", bench / "result"});
    CHECK(result.status == 1);
    CHECK(result.err == bench / "result" + ": File too large\n");
    CHECK(names_in(bench.path()) == names);
  }
  SECTION("of standard output") {
    const auto result = run_in_bash(bench, "ulimit -f 64; \"$@\" >\"$0/result\"",
                                    {harness::tool("era_dump"), large});
    CHECK(result.status == 1);
    CHECK(result.err == "standard output: File too large\n");
  }
  SECTION("of restored metadata") {
    harness::write_file(bench.xml, fixtures::large_unfinished_xml());
    harness::make_zeroed(bench.device, fixtures::large_device_bytes);
    const auto result = run_in_bash(bench, "ulimit -f 64; \"$@\"", call_of(bench, "era_restore"));
    CHECK(result.status == 1);
    CHECK_THAT(result.err, StartsWith(bench.device + ": "));
  }
}

TEST_CASE("lack of memory leaves no temporary file", "[output]") {
  if (harness::sanitized()) {
    std::printf("skipped: a sanitizer takes what it wants\n");
    return;
  }
  const bench bench;
  const auto large = bench / "large";
  harness::image_named("power_cut").unpack(large);
  const auto names = names_in(bench.path());
  unsigned failed = 0;
  for (std::uint64_t limit = 8 << 20; limit <= 128 << 20; limit += 2 << 20) {
    INFO(limit);
    harness::run_options options;
    options.memory_limit = limit;
    const auto result =
        harness::run({harness::tool("era_dump"), large, "-o", bench / "result"}, options);
    failed += result.status != 0;
    std::filesystem::remove(bench / "result");
    CHECK(names_in(bench.path()) == names);
  }
  CHECK(failed > 0);
}
