// era_simulate where the power fails, and where it verifies or invents its schedule: what its
// options --verify and --random do, and what it costs.
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"
#include "simulating.h"

namespace {

using namespace simulating;
using Catch::Contains;
using Catch::EndsWith;
using Catch::StartsWith;
using fixtures::call;

}  // namespace

TEST_CASE("after the power has failed, commands are passed over up to the next power_cut") {
  const place place;
  check_output(place.script(new_device +
                                "status\npower_cut_after 0 1\nmessage checkpoint\nstatus\n"
                                "! status\ndevice never 8\npower_cut\n! status\n" +
                                create + "message checkpoint\nstatus\n",
                            {"--verify"}),
               "0 131072 era 8 10/256 1 -\n" + no_device + "0 131072 era 8 14/256 3 -\n");
  CHECK_FALSE(place.has("never"));
}

TEST_CASE("a power cut that is yet to come is called off by one that comes before") {
  const place place;
  check_output(place.script(new_device + "power_cut_after 1000\nmessage checkpoint\npower_cut\n" +
                                create + "message checkpoint\nstatus\n",
                            {"--verify"}),
               "0 131072 era 8 16/256 4 -\n");
  place.remove("metadata");
  place.remove("origin");
  check_output(place.script(new_device + "power_cut_after 1\npower_cut\n" + create + "status\n",
                            {"--verify"}),
               "0 131072 era 8 12/256 2 -\n");
}

TEST_CASE("the power may fail at any write of the metadata") {
  for (unsigned writes = 0; writes < 30; ++writes) {
    INFO(writes);
    const place place;
    const auto got = place.script(
        new_device + "write 0 1280\npower_cut_after " + std::to_string(writes) +
            " 7\nmessage checkpoint\nwrite 1280 128\nmessage take_metadata_snap\nsuspend\n"
            "reload 0 65536 era metadata origin 128\nresume\nwrite 0 1\nremove\n",
        {"--verify"});
    CHECK(got.status == 0);
    CHECK(got.out == "");
    CHECK(got.err == "");
    CHECK(call("era_check", {place / "metadata"}).status == 0);
    CHECK_THAT(call("era_invalidate", {"--written-since", "1", place / "metadata"}).out,
               Contains("<range begin=\"0\" "));
  }
}

TEST_CASE("the power may fail while new metadata is formatted") {
  for (unsigned writes = 0; writes < 12; ++writes) {
    INFO(writes);
    const place place;
    const auto got = place.script(new_files + "power_cut_after " + std::to_string(writes) + " 7\n" +
                                      create + "power_cut\n- " + create + "status\n",
                                  {"--verify"});
    CHECK(got.status == 0);
    CHECK(got.err == "");
    CHECK_THAT(got.out, StartsWith("0 131072 era 8 "));
    CHECK(call("era_check", {place / "metadata"}).status == 0);
  }
}

TEST_CASE("the seed of a power cut decides what survives") {
  const auto after = [](const std::string& seed) {
    const place place;
    REQUIRE(place
                .script(new_device + "write 0 1280\npower_cut_after 4" + seed +
                        "\nmessage checkpoint\n")
                .status == 0);
    return harness::read_file(place / "metadata");
  };
  std::vector<std::string> all;
  for (const std::string seed : {" 1", " 2", " 3", " 4"}) {
    all.push_back(after(seed));
    CHECK((after(seed) == all.back()));
  }
  CHECK((after("") == after(" 0")));
  CHECK(std::any_of(all.begin(), all.end(), [&](const auto& one) { return one != all[0]; }));
}

TEST_CASE("option --verify refuses metadata that was damaged between two runs") {
  const place place;
  REQUIRE(place.script(new_device + "write 0 1\nmessage checkpoint\nremove\n").status == 0);
  auto bytes = harness::read_file(place / "metadata");
  const auto array = fixtures::u64_at(bytes, harness::superblock::era_array);
  bytes[array * fixtures::block_bytes + 100] ^= 1;
  harness::write_file(place / "metadata", bytes);
  const std::string harmless = create + "status\n";
  const auto verified = place.script(harmless, {"--verify"});
  CHECK(verified.status == 1);
  CHECK(verified.out == "");
  CHECK_THAT(verified.err,
             StartsWith("standard input:1: metadata: block " + std::to_string(array)));
  CHECK((harness::read_file(place / "metadata") == bytes));
  // It is not believed the second time either.
  const auto again = place.script("- " + create + "! " + create, {"--verify"});
  CHECK(again.status == 0);
  CHECK(std::count(again.out.begin(), again.out.end(), '\n') == 2);
  // A target does not read what it does not need.
  CHECK(place.script(harmless).status == 0);
}

TEST_CASE("option --verify lists what is not as it was written") {
  const place place;
  const std::string older = new_device + "write 640 128\n";
  REQUIRE(place.script(older).status == 0);
  std::filesystem::rename(place / "metadata", place / "older");
  place.remove("origin");
  harness::write_file(place / "first",
                      older + "message checkpoint\nwrite 1280 256\ndevice here 8\n");
  // The older metadata comes back without the tool's knowledge, as soon as it has got so far.
  const std::string exchange =
      "{ cat first; until test -e here; do sleep 0.01; done; "
      "dd if=older of=metadata conv=notrunc status=none; echo power_cut; } | \"$0\" --verify";
  harness::run_options there;
  there.folder = place.path();
  const auto got = harness::run({"bash", "-c", exchange, harness::tool("era_simulate")}, there);
  CHECK(got.status == 1);
  CHECK(got.out ==
        "metadata: the current era is 1, not 2\n"
        "metadata: block 10: last written in era 2, but found in era 0\n"
        "metadata: block 11: last written in era 2, but found in era 0\n");
  CHECK(got.err ==
        "standard input:8: metadata: 3 differences between what was written and the metadata, "
        "listed on standard output\n");
}

TEST_CASE("option --random makes a schedule that its seed decides") {
  const place place;
  const auto script = [&](const std::string& seed, const words& more = {}) {
    words arguments = {"--random", seed, "--print-script"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const auto got = place.run(arguments);
    CHECK(got.status == 0);
    CHECK(got.err == "");
    return got.out;
  };
  const auto seven = script("7");
  CHECK(script("7") == seven);
  CHECK(script("7", {"--ops", "100"}) == seven);
  CHECK(script("8") != seven);
  CHECK_THAT(seven, StartsWith("device era-metadata ") && Contains("\ndevice era-origin ") &&
                        Contains(" era era-metadata era-origin "));
  CHECK_THAT(script("7", {"--metadata=m", "--origin", "o"}),
             StartsWith("device m ") && Contains("\ndevice o ") && Contains(" era m o ") &&
                 !Contains("era-"));
  const auto size = [](const std::string& text) {
    return std::count(text.begin(), text.end(), '\n');
  };
  CHECK(size(script("7", {"--ops", "10"})) < size(seven));
  CHECK(size(script("7", {"--ops", "1000"})) >= 1000);
  CHECK(fixtures::names_in(place.path()).empty());
}

TEST_CASE("a printed schedule, run as a script, does what --random does") {
  for (const std::string seed : {"1", "2", "3", "4", "5"}) {
    DYNAMIC_SECTION("seed " << seed) {
      const place direct;
      const place printed;
      const auto done = direct.run({"--verify", "--random", seed, "--ops", "150"});
      CHECK(done.status == 0);
      CHECK(done.err == "");
      CHECK(done.out != "");
      const auto script = direct.run({"--random", seed, "--ops", "150", "--print-script"}).out;
      check_output(printed.script(script, {"--verify"}), done.out);
      for (const std::string file : {"era-metadata", "era-origin"}) {
        CHECK((harness::read_file(printed / file) == harness::read_file(direct / file)));
      }
      CHECK(call("era_check", {direct / "era-metadata"}).status == 0);
    }
  }
}

TEST_CASE("a schedule that fails names the command and how to repeat it") {
  const place place;
  harness::write_file(place / "taken", "");
  check_failure(place.run({"--random", "7", "--ops=9", "--origin=taken"}), "",
                "schedule 7:2: at 'device taken ");
  const auto failed = place.run({"--random", "7", "--ops=9", "--metadata=m", "--origin=taken"});
  CHECK_THAT(
      failed.err,
      Contains(": taken: File exists\nRemove it first, or give another name.\n"
               "Repeat it from a script: era_simulate --random 7 --ops 9 --print-script.\n"));
}

TEST_CASE("a device of 100 million blocks takes less than 64 MiB of memory") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers take memory of their own");
    return;
  }
  // 400 MiB of metadata: in memory where there is room for it, for the sake of time.
  std::error_code none;
  const auto room = std::filesystem::space("/dev/shm", none);
  const place place(!none && room.available > std::uintmax_t{1} << 30
                        ? std::filesystem::path("/dev/shm")
                        : std::filesystem::temp_directory_path());
  harness::run_options bounded;
  bounded.memory_limit = std::uint64_t{64} << 20;
  bounded.seconds = 600;
  bounded.input =
      "device metadata 1048576\ndevice origin 800000000\n"
      "create 0 800000000 era metadata origin 8\n"
      "write 0 8\nwrite 400000000 800\nwrite 799999999 1\nmessage checkpoint\n"
      "write 0 8\nstatus\nremove\n";
  const auto got = place.run({}, bounded);
  CHECK(got.err == "");
  CHECK(got.status == 0);
  CHECK_THAT(got.out, Catch::Matches("0 800000000 era 8 [0-9]+/131072 2 -\n"));
  const auto list = call("era_invalidate", {"--written-since", "1", place / "metadata"});
  CHECK(list.out ==
        "<blocks>\n"
        "  <block block=\"0\"/>\n"
        "  <range begin=\"50000000\" end = \"50000100\"/>\n"
        "  <block block=\"99999999\"/>\n"
        "</blocks>\n");
}
