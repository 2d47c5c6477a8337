// era_simulate: its command line, its scripts, and what it leaves for the other tools. Whether its
// target does what a kernel's does is the subject of replay_test.cc.
#include <algorithm>
#include <cstdint>
#include <optional>
#include <regex>
#include <string>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "simulating.h"

namespace {

using namespace simulating;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;
using fixtures::call;
using harness::result;
using harness::truth;

void check_usage_error(const result& got, const words& facts) {
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK_THAT(got.err, EndsWith("\nTry 'era_simulate --help'.\n"));
  for (const auto& fact : facts) {
    CHECK_THAT(got.err, Contains(fact));
  }
}

// A script and what the metadata must say after it.
struct scenario {
  std::string name;
  std::string script;
  std::uint32_t block_size;
  bool open;  // whether the current era is
  truth live;
  std::optional<truth> snapshot = std::nullopt;
};

const std::vector<scenario>& scenarios() {
  static const std::vector<scenario> all = {
      {"nothing written", new_device + "remove\n", 128, false, {1, 1024, {}}},
      {"removed",
       new_device + "write 0 1280\nmessage checkpoint\nwrite 640 8\nremove\n",
       128,
       false,
       {2, 1024, {{0, 5, 1}, {5, 1, 2}, {6, 4, 1}}}},
      {"the end of the script",
       new_device + "write 0 1280\nmessage checkpoint\nwrite 640 8\n",
       128,
       true,
       {2, 1024, {{0, 5, 1}, {5, 1, 2}, {6, 4, 1}}}},
      {"a power cut",
       new_device + "write 0 1280\nmessage checkpoint\nwrite 640 8\npower_cut 3\n",
       128,
       true,
       {2, 1024, {{0, 5, 1}, {5, 1, 2}, {6, 4, 1}}}},
      {"a power cut and another era",
       new_device + "write 0 1\npower_cut\n" + create + "write 128 1\nremove\n",
       128,
       false,
       {2, 1024, {{0, 1, 1}, {1, 1, 2}}}},
      {"suspended", new_device + "write 0 1\nsuspend\n", 128, false, {1, 1024, {{0, 1, 1}}}},
      {"each kind of request",
       new_device + "write 127 2\nwrite_zeroes 300 100\ndiscard 1000 1000\nread 5000 9000\nflush\n"
                    "write 131072 0\nremove\n",
       128,
       false,
       {1, 1024, {{0, 4, 1}, {7, 1, 1}}}},
      {"every way to begin an era",
       new_device +
           "write 0 1\nmessage CheckPoint\nwrite 128 1\nmessage take_metadata_snap\nwrite 256 1\n"
           "message DROP_METADATA_SNAP\nwrite 384 1\nsuspend\nresume\nwrite 512 1\nresume\n"
           "write 640 1\n! message hello\nwrite 768 1\nremove\n",
       128,
       false,
       {4, 1024, {{0, 1, 1}, {1, 1, 2}, {2, 2, 3}, {4, 3, 4}}}},
      {"digested in part",
       new_device + "write 0 131072\nmessage checkpoint\nwrite 640 8\nstep 3\nremove\n",
       128,
       false,
       {2, 1024, {{0, 5, 1}, {5, 1, 2}, {6, 1018, 1}}}},
      {"digested",
       new_device + "write 0 131072\nmessage checkpoint\nwrite 640 8\nsettle\npower_cut\n",
       128,
       true,
       {2, 1024, {{0, 5, 1}, {5, 1, 2}, {6, 1018, 1}}}},
      {"a metadata snapshot",
       new_device + "write 0 256\nmessage take_metadata_snap\nwrite 128 256\nmessage checkpoint\n"
                    "write 0 1\nsettle\nremove\n",
       128,
       false,
       {3, 1024, {{0, 1, 3}, {1, 2, 2}}},
       truth{2, 1024, {{0, 2, 1}}}},
      {"grown",
       new_files + "create 0 65536 era metadata origin 128\nwrite 65535 1\nsuspend\n"
                   "reload 0 131072 era metadata origin 128\nresume\nwrite 131071 1\nremove\n",
       128,
       false,
       {2, 1024, {{511, 1, 1}, {1023, 1, 2}}}},
      {"shrunk",
       new_device +
           "write 0 1\nwrite 131071 1\nsuspend\nreload 0 65535 era metadata origin 128\nresume\n"
           "write 65534 1\nremove\n",
       128,
       false,
       {2, 512, {{0, 1, 1}, {511, 1, 2}}}},
      {"shrunk to full array blocks",
       "device metadata 2048\ndevice origin 8184\ncreate 0 8184 era metadata origin 8\n"
       "write 0 8184\nsuspend\nreload 0 8144 era metadata origin 8\nresume\nsettle\nremove\n",
       8,
       false,
       {2, 1018, {{0, 1018, 1}}}},
      {"a last block that is partial",
       new_files + "create 0 1000 era metadata origin 24\nwrite 23 2\nwrite 999 1\nremove\n",
       24,
       false,
       {1, 42, {{0, 2, 1}, {41, 1, 1}}}},
      {"a table loaded before the last writes",
       new_device + "write 0 1\nreload 0 131072 era metadata origin 128\nwrite 128 1\nresume\n" +
           "write 256 1\nremove\n",
       128,
       false,
       {2, 1024, {{0, 2, 1}, {2, 1, 2}}}},
  };
  return all;
}

void check_lists(const std::string& metadata, const truth& truth, const words& state) {
  for (std::uint32_t era = 0; era <= truth.current_era + (state.empty() ? 1 : 0); ++era) {
    INFO("since " << era);
    auto arguments = state;
    arguments.insert(arguments.end(), {"--written-since", std::to_string(era), metadata});
    check_output(call("era_invalidate", arguments), truth.invalidate_xml(era));
  }
}

// Whether a report of era_check says that an era is open.
bool has_open_era(const std::string& report) {
  return std::regex_search(report, std::regex(R"(current era \d+ \(open\))"));
}

}  // namespace

TEST_CASE("a script comes from a file, from standard input, or from - which is the same") {
  const place place;
  const std::string text = "! status\n! table\n";
  harness::write_file(place / "script", text);
  harness::run_options from_us;
  from_us.input = text;
  check_output(place.run({"script"}), no_device + no_device);
  check_output(place.run({"--verify", "--", "script"}), no_device + no_device);
  check_output(place.run({}, from_us), no_device + no_device);
  check_output(place.run({"-"}, from_us), no_device + no_device);
}

TEST_CASE("an empty script does nothing") {
  const place place;
  check_output(place.script(""), "");
  check_output(place.script("", {"--verify"}), "");
  CHECK(fixtures::names_in(place.path()).empty());
}

TEST_CASE("options that make no sense together are refused") {
  const place place;
  const auto [arguments, facts] = GENERATE(table<words, words>({
      {{"one", "two"}, {"two"}},
      {{"--random", "1", "script"}, {"--random", "script"}},
      {{"--random", "1", "-"}, {"--random", "script"}},
      {{"--ops", "10"}, {"--ops", "--random"}},
      {{"--print-script"}, {"--print-script", "--random"}},
      {{"--metadata", "m"}, {"--metadata", "--random"}},
      {{"--origin=o", "--verify"}, {"--origin", "--random"}},
      {{"--random", "1", "--metadata", "a b"}, {"a b"}},
      {{"--random", "1", "--origin", "a\nb"}, {"a\nb"}},
  }));
  INFO(arguments[0] << " and " << arguments.size() - 1 << " more");
  check_usage_error(place.run(arguments), facts);
  CHECK(fixtures::names_in(place.path()).empty());
}

TEST_CASE("options --random and --ops take numbers from 0 to 2^32 - 1") {
  const place place;
  for (const std::string number : {"-1", "4294967296", "x", "1x", "", "0x10"}) {
    DYNAMIC_SECTION("'" << number << "' is refused") {
      check_usage_error(place.run({"--random=" + number}), {"--random"});
      check_usage_error(place.run({"--random", "1", "--ops=" + number}), {"--ops"});
      CHECK(fixtures::names_in(place.path()).empty());
    }
  }
  CHECK(place.run({"--random", "0", "--ops=0"}).status == 0);
  CHECK(place.run({"--random", "4294967295", "--ops=3", "--print-script"}).status == 0);
}

TEST_CASE("comments, empty lines and blanks around a command count for nothing") {
  const place place;
  check_output(place.script("# a comment\n\n   \t \n  # another ! status\n\t!  status  \r\n"
                            "!status\n- status\n-status\n!   write  1   2"),
               no_device + no_device + no_device + no_device + no_device);
}

TEST_CASE("the first wrong line ends a script, and what was printed before stays") {
  const place place;
  const auto [line, reason] = GENERATE(table<std::string, std::string>({
      {"hedgehog 1 2", "unknown command 'hedgehog'"},
      {"Status", "unknown command 'Status'"},
      {"!", "a command is missing"},
      {"! ! status", "unknown command '!'"},
      {"status 1", "'1' is too much; expected: status"},
      {"write 1", "'write' with 1 number; expected: write <sector> <sectors>"},
      {"write 1 2 3", "'3' is too much; expected: write <sector> <sectors>"},
      {"write 1 x", "'x' is not a number; expected: write <sector> <sectors>"},
      {"write -1 2", "'-1' is not a number; expected: write <sector> <sectors>"},
      {"write 1 36028797018963968", "'36028797018963968' is too large"},
      {"step 1 2", "'2' is too much; expected: step [<count>]"},
      {"power_cut 1 2", "'2' is too much; expected: power_cut [<seed>]"},
      {"power_cut_after",
       "'power_cut_after' with 0 numbers; expected: power_cut_after <writes> [<seed>]"},
      {"device", "something is missing after 'device'; expected: device <file> <size>"},
      {"device file", "'device' with 0 numbers; expected: device <file> <size>"},
      {"create", "something is missing after 'create'; expected: create <table line>"},
      {"reload ", "something is missing after 'reload'; expected: reload <table line>"},
      {"message", "something is missing after 'message'; expected: message <text>"},
  }));
  INFO(line);
  const auto text = "! status\n\n" + line + "\ndevice never 8\n";
  harness::write_file(place / "script", text);
  check_failure(place.run({"script"}), no_device, "script:3: " + reason);
  check_failure(place.script(text), no_device, "standard input:3: " + reason);
  CHECK_FALSE(place.has("never"));
}

TEST_CASE("a line may have 4096 bytes") {
  const place place;
  const std::string command = "! status";
  check_output(place.script(command + std::string(4096 - command.size(), ' ') + "\n"), no_device);
  check_output(place.script(command + std::string(4096 - command.size(), ' ')), no_device);
  check_failure(place.script("! status\n" + command + std::string(4097 - command.size(), ' ')),
                no_device, "standard input:2: longer than 4096 bytes");
  check_failure(place.script("! status\n" + std::string(1 << 20, 'x') + "\n! status\n"), no_device,
                "standard input:2: longer than 4096 bytes");
}

TEST_CASE("a command must succeed, fail or either, as the script says") {
  const place place;
  check_failure(place.script("! status\nstatus\n! status\n"), no_device,
                "standard input:2: No such device or address: no device has been created");
  check_failure(place.script("- status\n! device file 8\n"), no_device,
                "standard input:2: '! device file 8': it succeeded");
  check_output(place.script("- device other 8\n- status\n"), no_device);
}

TEST_CASE("of a failure only the first line is printed") {
  const place place;
  harness::write_file(place / "file", "");
  check_output(place.script("! device file 8\n"), "file: File exists\n");
  const auto failed = place.script("device file 8\n");
  CHECK_THAT(failed.err, StartsWith("standard input:1: file: File exists\n"));
  CHECK(std::count(failed.err.begin(), failed.err.end(), '\n') == 2);
}

TEST_CASE("command device makes a file of zeros and touches none that is there") {
  const place place;
  check_output(place.script("device new 16\ndevice empty 0\n"), "");
  CHECK(harness::read_file(place / "new") == std::string(8192, '\0'));
  CHECK(harness::read_file(place / "empty") == "");
  harness::write_file(place / "new", "precious");
  check_output(place.script("! device new 16\n! device no/where 8\n"),
               "new: File exists\nno/where: No such file or directory\n");
  CHECK(harness::read_file(place / "new") == "precious");
}

TEST_CASE("a table is refused with the words of the kernel") {
  const place place;
  const auto [line, reason] = GENERATE(table<std::string, std::string>({
      {"0 131072 era metadata origin", "Invalid argument count"},
      {"0 131072 era metadata origin 128 1", "Invalid argument count"},
      {"0 131072 era", "Invalid argument count"},
      {"0 131072 era nowhere origin 128", "Error opening metadata device"},
      {"0 131072 era metadata nowhere 128", "Error opening data device"},
      {"0 131073 era metadata origin 128", "Error opening data device"},
      {"0 131072 era metadata origin -8", "Error parsing block size"},
      {"0 131072 era metadata origin 8x", "Error parsing block size"},
      {"0 131072 era metadata origin 0", "Invalid block size"},
      {"0 131072 era metadata origin 7", "Invalid block size"},
      {"0 131072 era metadata origin 12", "Invalid block size"},
      {"0 131072 era garbage origin 128", "Error reading metadata"},
      {"0 131072 linear origin 0", "unknown target type"},
      {"8 131072 era metadata origin 128", "Invalid table line"},
      {"0 0 era metadata origin 128", "Invalid table line"},
      {"0", "Invalid table line"},
  }));
  INFO(line);
  harness::write_file(place / "garbage", std::string(1 << 20, 'g'));
  const auto first = place.script(new_files + "! create " + line + "\n! status\n" + create);
  CHECK(first.status == 0);
  CHECK(first.err == "");
  CHECK_THAT(first.out, StartsWith(reason) && EndsWith("\n" + no_device));
  const auto second =
      place.script(create + "! reload " + line + "\n! create " + line + "\nresume\nstatus\n");
  CHECK(second.status == 0);
  CHECK(second.err == "");
  CHECK_THAT(second.out, StartsWith(reason) && Contains("\nDevice or resource busy") &&
                             EndsWith("\n0 131072 era 8 12/256 2 -\n"));
}

TEST_CASE("a table with another block size than the metadata's is refused") {
  const place place;
  check_output(place.script(new_device + "remove\n! create 0 131072 era metadata origin 64\n"),
               "Error reading metadata: changing the data block size (from 128 to 64) is not "
               "supported\n");
}

TEST_CASE("a device that could not be opened is forgotten") {
  const place place;
  const std::string wrong = "! create 0 131072 era nowhere nowhere 128\n";
  const std::string refusal = "Error opening metadata device: nowhere: No such file or directory\n";
  check_output(place.script(wrong + "power_cut\n"), refusal);
  check_output(place.script(wrong + "power_cut_after 3\n"), refusal);
  check_output(place.script(wrong + new_device + "! device origin 8\nstatus\nremove\n"),
               refusal + "origin: File exists\n0 131072 era 8 10/256 1 -\n");
}

TEST_CASE("messages are refused with the words of the kernel") {
  const place place;
  check_output(
      place.script(new_device + "! message hello\n! message Hello\n! message checkpoint now\n"
                                "! message hello you\n! message drop_metadata_snap\n"
                                "message take_metadata_snap\n! message take_metadata_snap\n"
                                "message drop_metadata_snap\n! message DROP_metadata_snap\n"),
      "unsupported message 'hello'\n"
      "unsupported message 'Hello'\n"
      "incorrect number of message arguments: a message is one word, not 2\n"
      "incorrect number of message arguments: a message is one word, not 2\n"
      "no snap to drop\n"
      "metadata snapshot already exists\n"
      "no snap to drop\n");
}

TEST_CASE("status and table are printed as dmsetup does") {
  const place place;
  check_output(place.script(new_device + "status\ntable\nmessage checkpoint\nstatus\nmessage "
                                         "take_metadata_snap\nsuspend\ntable\nresume\nmessage "
                                         "drop_metadata_snap\nsettle\nstatus\nremove\n! table\n"),
               "0 131072 era 8 10/256 1 -\n"
               "0 131072 era metadata origin 128\n"
               "0 131072 era 8 12/256 2 -\n"
               "0 131072 era metadata origin 128\n"
               "0 131072 era 8 10/256 4 -\n" +
                   no_device);
  CHECK_THAT(place.script(create + "message take_metadata_snap\nstatus\n").out,
             Catch::Matches("0 131072 era 8 [0-9]+/256 6 [1-9][0-9]*\n"));
}

TEST_CASE("a request beyond the end of the device is refused, all of it") {
  const place place;
  const std::string refusal = "the request goes beyond the end of the device, sector 131072\n";
  const std::string request =
      GENERATE("write 131072 1", "write 131071 2", "write 0 131073", "write 100000 31073",
               "write_zeroes 131071 2", "discard 131071 2", "read 131071 2", "read 0 131073",
               "write 36028797018963967 36028797018963967");
  INFO(request);
  check_output(
      place.script(new_device + "! " + request + "\nwrite 131071 1\nread 0 131072\nremove\n",
                   {"--verify"}),
      refusal);
  CHECK(harness::difference(fixtures::dump(place / "metadata", {"--logical"}),
                            truth{1, 1024, {{1023, 1, 1}}}.logical_xml(128)) == "");
  CHECK(harness::read_file(place / "origin").substr(0, 131071 * 512).find_first_not_of('\0') ==
        std::string::npos);
}

TEST_CASE("a suspended device takes nothing until it is resumed") {
  const place place;
  const std::string command =
      GENERATE("status", "message checkpoint", "message hello", "write 0 1", "write 1310720000 8",
               "discard 0 1", "read 0 1", "flush", "step", "settle");
  INFO(command);
  const auto got = place.script(new_device + "suspend\n! " + command + "\nresume\nstatus\nremove\n",
                                {"--verify"});
  CHECK(got.status == 0);
  CHECK_THAT(got.out, Contains("suspended") && EndsWith("\n0 131072 era 8 12/256 2 -\n"));
}

TEST_CASE("a table that names other metadata goes there from the resume on") {
  const place place;
  check_output(
      place.script(new_device + "device other 2048\nwrite 0 1\n"
                                "reload 0 131072 era other origin 128\nwrite 128 1\nresume\n"
                                "write 256 1\nremove\n",
                   {"--verify"}),
      "");
  const auto eras = [&](const std::string& metadata) {
    return fixtures::dump(place / metadata, {"--logical", "--compact"});
  };
  CHECK(eras("metadata") == fixtures::document{128, 1024, 1, {}, {{0, 1}, {1, 1}}}.compact_xml());
  CHECK(eras("other") == fixtures::document{128, 1024, 1, {}, {{2, 1}}}.compact_xml());
}

TEST_CASE("without a device there is nothing to command") {
  const place place;
  const std::string command =
      GENERATE("resume", "suspend", "reload 0 8 era a b 8", "remove", "write 0 1",
               "write_zeroes 0 1", "discard 0 1", "read 0 1", "flush", "message checkpoint",
               "status", "table", "step", "settle");
  INFO(command);
  check_output(place.script("! " + command + "\n"), no_device);
}

TEST_CASE("what a script writes can be read back from the origin's file") {
  const place place;
  check_output(place.script(new_device + "write 10 2\nwrite 20 3\nwrite_zeroes 21 1\nremove\n"),
               "");
  const auto origin = harness::read_file(place / "origin");
  const auto zero = [&](std::size_t sector) {
    return origin.substr(sector * 512, 512) == std::string(512, '\0');
  };
  CHECK(origin.size() == 131072 * 512);
  for (const std::size_t written : {10, 11, 20, 22}) {
    CHECK_FALSE(zero(written));
  }
  for (const std::size_t unwritten : {9, 12, 19, 21, 23}) {
    CHECK(zero(unwritten));
  }
  CHECK(origin.substr(10 * 512, 512) != origin.substr(20 * 512, 512));
}

TEST_CASE("archived eras are digested by step and settle, and by nothing else") {
  const place place;
  const auto nr_writesets = [&](const std::string& script) {
    place.remove("metadata");
    place.remove("origin");
    REQUIRE(place.script(script, {"--verify"}).status == 0);
    const auto xml = fixtures::dump(place / "metadata");
    std::size_t count = 0;
    for (auto at = xml.find("<writeset "); at != std::string::npos;
         at = xml.find("<writeset ", at + 1)) {
      ++count;
    }
    return count;
  };
  const auto two_eras = new_device + "write 0 131072\nmessage checkpoint\n";
  const std::string quiet = "status\nread 0 8\nflush\nwrite 0 8\n";
  CHECK(nr_writesets(two_eras + quiet) == 2);
  CHECK(nr_writesets(two_eras + quiet + "settle\n") == 1);
  CHECK(nr_writesets(two_eras + quiet + "settle\nremove\n") == 1);
  // One step finds the era, eleven carry 1024 bits over, the last drops it; the status commits.
  CHECK(nr_writesets(two_eras + quiet + "step 12\nstatus\n") == 2);
  CHECK(nr_writesets(two_eras + quiet + "step 13\nstatus\n") == 1);
  // What is not committed is lost.
  CHECK(nr_writesets(two_eras + quiet + "step 13\npower_cut\n") == 2);
}

TEST_CASE("what a script leaves is clean and says what the script did") {
  for (const auto& scenario : scenarios()) {
    DYNAMIC_SECTION(scenario.name) {
      const place place;
      const auto metadata = place / "metadata";
      const auto got = place.script(scenario.script, {"--verify"});
      REQUIRE(got.err == "");
      REQUIRE(got.status == 0);

      const auto checked = call("era_check", {metadata});
      CHECK(checked.status == 0);
      CHECK(checked.err == "");
      CHECK(has_open_era(checked.out) == scenario.open);
      check_output(call("era_dump", {"--logical", metadata}),
                   scenario.live.logical_xml(scenario.block_size));
      check_lists(metadata, scenario.live, {});
      if (scenario.snapshot) {
        check_output(call("era_dump", {"--logical", "--metadata-snapshot", metadata}),
                     scenario.snapshot->logical_xml(scenario.block_size));
        check_lists(metadata, *scenario.snapshot, {"--metadata-snapshot"});
      } else {
        CHECK_THAT(call("era_dump", {"--metadata-snapshot", metadata}).err,
                   Contains("no current metadata snap"));
      }
    }
  }
}

TEST_CASE("what a script leaves is clean for the peer's era_check too", "[peer]") {
  if (!fixtures::peer_is_here()) {
    return;
  }
  for (const auto& scenario : scenarios()) {
    DYNAMIC_SECTION(scenario.name) {
      const place place;
      REQUIRE(place.script(scenario.script).status == 0);
      const auto checked =
          harness::run({fixtures::peer_folder() + "/era_check", place / "metadata"});
      INFO(checked.out + checked.err);
      CHECK(checked.status == 0);
    }
  }
}

TEST_CASE("after one failed allocation nothing is committed until the device is created again") {
  const place place;
  const auto got = place.script(
      "device metadata 112\ndevice origin 131072\n" + create +
          "status\nwrite 0 8\n! message checkpoint\nstatus\nwrite 0 8\nread 0 8\n! write 256 8\n"
          "! message checkpoint\n! message drop_metadata_snap\n! remove\n! status\n",
      {"--verify"});
  const std::string full =
      "metadata: no metadata block is free: 11 of 14 are in use, and 3 that this change gave up "
      "can "
      "be had only once it is committed; the last commit stays valid.\n";
  CHECK(got.err == full);
  CHECK(got.status == 0);
  const std::string failed =
      "metadata: an earlier operation failed, so nothing is committed any more; the last commit "
      "is on the device.\n";
  CHECK(got.out == "0 131072 era 8 10/14 1 -\n" + full + "0 131072 era Error\n" + failed + failed +
                       "no snap to drop\n" + failed + no_device);
  CHECK(call("era_check", {place / "metadata"}).status == 0);
  CHECK(fixtures::dump(place / "metadata", {"--logical"}) ==
        truth{1, 1024, {{0, 1, 1}}}.logical_xml(128));
}

TEST_CASE("metadata that is too small is refused at the first resume, or at the first write") {
  const place place;
  const auto with_blocks = [&](unsigned blocks, const std::string& script) {
    place.remove("metadata");
    place.remove("origin");
    return place.script("device metadata " + std::to_string(blocks * 8) +
                        "\ndevice origin 131072\n" + script);
  };
  const std::string full = "metadata: no metadata block is free: ";
  CHECK_THAT(with_blocks(11, "! " + create).out, StartsWith(full));
  for (const unsigned blocks : {12, 13}) {
    INFO(blocks);
    const auto got = with_blocks(blocks, create + "! write 0 8\n");
    CHECK(got.status == 0);
    CHECK_THAT(got.out, StartsWith(full));
  }
  check_output(with_blocks(14, create + "write 0 8\n"), "");
}

TEST_CASE("the last era there can be is never followed by era 0") {
  const place place;
  fixtures::restore(fixtures::document{128, 1024, 4294967294, {}, {}}.xml(), place / "metadata");
  harness::make_zeroed(place / "origin", 131072 * 512);
  const std::string refusal = "metadata: the era counter is at its end, and no era can follow.\n";
  check_output(place.script(create + "write 0 8\nstatus\n! message checkpoint\n", {"--verify"}),
               "0 131072 era 8 10/256 4294967295 -\n" + refusal);
  check_output(place.script("! " + create, {"--verify"}), refusal);
  CHECK(fixtures::dump(place / "metadata", {"--logical"}) ==
        truth{4294967295, 1024, {{0, 1, 4294967295}}}.logical_xml(128));
}
