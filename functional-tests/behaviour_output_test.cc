// Where results go and what happens if they cannot: -o, pipes, full disks, and -q. The rules are
// written once here and run for every tool that has a result.
#include <sys/stat.h>

#include <filesystem>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using Catch::Contains;
using Catch::EndsWith;
using fixtures::bench;
using fixtures::call;
using fixtures::names_in;

using words = std::vector<std::string>;

// The tools with an option -o for the result that they print otherwise.
const words& writers() {
  static const words names = {"era_dump", "era_invalidate"};
  return names;
}

// Calls that print something on standard output, of every kind and tool.
std::vector<words> printing_calls(const bench& bench) {
  std::vector<words> calls;
  for (const auto& tool : harness::all_tools()) {
    calls.push_back({harness::tool(tool), "--help"});
    calls.push_back({harness::tool(tool), "--version"});
  }
  for (const auto& tool : harness::readers()) {
    words call = {harness::tool(tool)};
    const auto arguments = bench.arguments(tool, bench.metadata);
    call.insert(call.end(), arguments.begin(), arguments.end());
    calls.push_back(call);
  }
  calls.push_back({harness::tool("era_simulate"), bench.script});
  return calls;
}

std::string name_of(const words& call) {
  const auto tool = std::filesystem::path(call[0]).filename().string();
  return call[1][0] == '-' ? tool + " " + call[1] : tool;
}

// Runs a command whose standard output is a pipe that nothing reads any more: the command waits
// until the reader has gone.
harness::result run_without_reader(const bench& bench, const words& command) {
  words all = {"bash", "-c",
               R"(mkfifo "$0"
                  { read -r _ <"$0"; "$@"; } | { exec <&-; echo >"$0"; }
                  exit ${PIPESTATUS[0]})",
               bench / ("gone" + std::to_string(names_in(bench.path()).size()))};
  all.insert(all.end(), command.begin(), command.end());
  return harness::run(all);
}

unsigned mode_of(const std::string& path) {
  return static_cast<unsigned>(std::filesystem::status(path).permissions());
}

ino_t inode_of(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return info.st_ino;
}

}  // namespace

TEST_CASE("success leaves standard error empty") {
  const bench bench;
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.good_input(tool));
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK((result.out == "") == (tool == "era_restore"));
    }
  }
}

TEST_CASE("a reader that has gone ends a tool without a word") {
  const bench bench;
  for (const auto& command : printing_calls(bench)) {
    DYNAMIC_SECTION(name_of(command)) {
      const auto result = run_without_reader(bench, command);
      CHECK(result.status == 1);
      CHECK(result.err == "");
    }
  }
}

TEST_CASE("a reader that goes early ends a tool without a word") {
  const bench bench;
  const auto large = bench / "large";
  harness::image_named("power_cut").unpack(large);
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      words command = {"bash", "-c", R"("$@" | head -c 128 >/dev/null; exit ${PIPESTATUS[0]})",
                       "bash", harness::tool(tool)};
      const words arguments =
          tool == "era_dump" ? words{large} : words{"--written-since=0", "--format=json", large};
      command.insert(command.end(), arguments.begin(), arguments.end());
      const auto result = harness::run(command);
      CHECK(result.err == "");
      // A list that fits into the pipe may be complete before its reader goes.
      if (tool == "era_dump") {
        CHECK(result.status == 1);
      }
    }
  }
}

TEST_CASE("a full standard output is a failure") {
  const bench bench;
  harness::run_options to_full;
  to_full.stdout_path = "/dev/full";
  for (const auto& command : printing_calls(bench)) {
    DYNAMIC_SECTION(name_of(command)) {
      const auto result = harness::run(command, to_full);
      CHECK(result.status == 1);
      CHECK_THAT(result.err, Contains("No space left on device") && EndsWith("\n"));
    }
  }
}

TEST_CASE("option -o to a full device is a failure") {
  const bench bench;
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.metadata, {"-o", "/dev/full"});
      CHECK(result.status == 1);
      CHECK(result.out == "");
      CHECK_THAT(result.err, Contains("/dev/full: No space left on device") && EndsWith("\n"));
    }
  }
}

TEST_CASE("option -o in a folder that is missing is a failure") {
  const bench bench;
  const auto path = bench / "no/folder/result";
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.metadata, {"-o", path});
      CHECK(result.status == 1);
      CHECK(result.out == "");
      CHECK_THAT(result.err, Contains(path + ": No such file or directory") && EndsWith("\n"));
    }
  }
}

TEST_CASE("option -o to a directory is a failure") {
  const bench bench;
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.metadata, {"-o", bench.path()});
      CHECK(result.status == 1);
      CHECK(result.out == "");
      CHECK_THAT(result.err, Contains(bench.path() + ": Is a directory") && EndsWith("\n"));
    }
  }
}

TEST_CASE("option -o makes a file with the result, and nothing else") {
  const bench bench;
  const auto path = bench / "result";
  auto names = names_in(bench.path());
  names.insert("result");
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      const auto expected = bench.read(tool, bench.metadata);
      const auto result = bench.read(tool, bench.metadata, {"-o", path});
      CHECK(result.status == 0);
      CHECK(result.out + result.err == "");
      CHECK(harness::read_file(path) == expected.out);
      CHECK(names_in(bench.path()) == names);
    }
  }
}

TEST_CASE("option -o replaces a file and keeps its mode") {
  const bench bench;
  const auto path = bench / "result";
  harness::write_file(path, std::string(1 << 20, 'x'));
  const unsigned mode = GENERATE(0600u, 0644u, 0751u);
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
  const auto names = names_in(bench.path());
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool << " " << mode) {
      const auto expected = bench.read(tool, bench.metadata);
      const auto result = bench.read(tool, bench.metadata, {"-o", path});
      CHECK(result.status == 0);
      CHECK(result.out + result.err == "");
      CHECK(harness::read_file(path) == expected.out);
      CHECK(mode_of(path) == mode);
      CHECK(names_in(bench.path()) == names);
    }
  }
}

TEST_CASE("option -o through a symbolic link replaces the file and keeps the link") {
  const bench bench;
  const auto path = bench / "result";
  const auto link = bench / "link";
  harness::write_file(path, "old");
  std::filesystem::create_symlink("result", link);
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      CHECK(bench.read(tool, bench.metadata, {"-o", link}).status == 0);
      CHECK(std::filesystem::is_symlink(link));
      CHECK(harness::read_file(path) == bench.read(tool, bench.metadata).out);
    }
  }
}

TEST_CASE("option -o leaves a file as it was if the tool fails") {
  const bench bench;
  const auto path = bench / "result";
  const auto damaged = bench / "damaged";
  fixtures::unpack_damaged(harness::image_named("power_cut"), {harness::superblock::era_array},
                           damaged);
  harness::write_file(path, "the old result\n");
  const auto names = names_in(bench.path());
  for (const auto& tool : writers()) {
    for (const auto& bad : {bench.device, damaged, bench.xml, bench / "nowhere"}) {
      DYNAMIC_SECTION(tool << " " << std::filesystem::path(bad).filename()) {
        const auto result = bench.read(tool, bad, {"-o", path});
        CHECK(result.status == 1);
        CHECK(result.out == "");
        CHECK(harness::read_file(path) == "the old result\n");
        CHECK(names_in(bench.path()) == names);
      }
    }
  }
}

TEST_CASE("option -o makes no file if the tool fails") {
  const bench bench;
  const auto names = names_in(bench.path());
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      CHECK(bench.read(tool, bench.device, {"-o", bench / "result"}).status == 1);
      CHECK(names_in(bench.path()) == names);
    }
  }
}

TEST_CASE("option -o to the input is refused") {
  const bench bench;
  const auto before = harness::read_file(bench.metadata);
  std::filesystem::create_symlink(bench.metadata, bench / "symbolic");
  std::filesystem::create_hard_link(bench.metadata, bench / "hard");
  for (const auto& tool : writers()) {
    for (const auto& same : {bench.metadata, bench / "symbolic", bench / "hard"}) {
      DYNAMIC_SECTION(tool << " " << std::filesystem::path(same).filename()) {
        const auto result = bench.read(tool, bench.metadata, {"-o", same});
        CHECK(result.status == 1);
        CHECK(result.out == "");
        CHECK_THAT(result.err, Contains(same) && EndsWith("\n"));
        CHECK((harness::read_file(bench.metadata) == before));
      }
    }
  }
  SECTION("era_restore") {
    // Large enough to take the metadata.
    const auto xml = fixtures::example().xml() + std::string(1 << 20, '\n');
    harness::write_file(bench.xml, xml);
    const auto result = call("era_restore", {"-i", bench.xml, "-o", bench.xml});
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains(bench.xml) && EndsWith("\n"));
    CHECK((harness::read_file(bench.xml) == xml));
  }
}

TEST_CASE("option -o to a fifo writes into it") {
  const bench bench;
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      words command = {
          "bash", "-c",
          R"(mkfifo "$0"; cat "$0" & "$@"; status=$?; wait; test -p "$0" && exit $status)",
          bench / "fifo", harness::tool(tool)};
      const auto arguments = bench.arguments(tool, bench.metadata, {"-o", bench / "fifo"});
      command.insert(command.end(), arguments.begin(), arguments.end());
      harness::run_options options;
      options.seconds = 20;
      const auto result = harness::run(command, options);
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(result.out == bench.read(tool, bench.metadata).out);
    }
  }
}

TEST_CASE("option -o to /dev/stdout writes in place, whatever that is") {
  const bench bench;
  const auto path = bench / "result";
  for (const auto& tool : writers()) {
    const auto expected = bench.read(tool, bench.metadata).out;
    DYNAMIC_SECTION(tool << ", a pipe") {
      const auto result = bench.read(tool, bench.metadata, {"-o", "/dev/stdout"});
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(result.out == expected);
    }
    DYNAMIC_SECTION(tool << ", a file") {
      harness::write_file(path, "");
      const auto inode = inode_of(path);
      harness::run_options to_file;
      to_file.stdout_path = path;
      const auto result = bench.read(tool, bench.metadata, {"-o", "/dev/stdout"}, to_file);
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(harness::read_file(path) == expected);
      CHECK(inode_of(path) == inode);
    }
  }
}

TEST_CASE("option -o - is standard output") {
  const bench bench;
  for (const auto& tool : writers()) {
    DYNAMIC_SECTION(tool) {
      for (const words& option : {words{"-o", "-"}, words{"--output=-"}}) {
        const auto result = bench.read(tool, bench.metadata, option);
        CHECK(result.status == 0);
        CHECK(result.err == "");
        CHECK(result.out == bench.read(tool, bench.metadata).out);
      }
    }
  }
}

TEST_CASE("option -q gives no byte on either stream, whatever happens") {
  const bench bench;
  const auto damaged = bench / "damaged";
  fixtures::unpack_damaged(harness::image_named("power_cut"), {harness::superblock::era_array},
                           damaged);
  const auto broken = bench / "broken.xml";
  harness::write_file(broken, "<superblock>");
  for (const std::string tool : {"era_check", "era_restore"}) {
    for (const std::string quiet : {"-q", "--quiet"}) {
      DYNAMIC_SECTION(tool << " " << quiet) {
        for (const auto& bad : {bench / "nowhere", bench.path(), bench.device, damaged, broken}) {
          INFO(bad);
          const auto result = bench.read(tool, bad, {quiet});
          CHECK(result.status == 1);
          CHECK(result.out == "");
          CHECK(result.err == "");
        }
        const auto result = bench.read(tool, bench.good_input(tool), {quiet});
        CHECK(result.status == 0);
        CHECK(result.out == "");
        CHECK(result.err == "");
      }
    }
  }
}
