// What the tools say to inputs that are not metadata, or cannot be read. The rules are written once
// here and run for every tool that they concern.
#include <filesystem>
#include <regex>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::EndsWith;
using fixtures::bench;

using words = std::vector<std::string>;

void check_holds(const std::string& text, const words& facts) {
  CHECK_THAT(text, EndsWith("\n"));
  for (const auto& fact : facts) {
    CHECK_THAT(text, Contains(fact));
  }
}

// Each tool refuses to read `path` with one message that holds all of `facts`, and prints no
// result.
void check_not_read(const bench& bench, const words& tools, const std::string& path,
                    const words& facts, const harness::run_options& options = {}) {
  for (const auto& tool : tools) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, path, {}, options);
      CHECK(result.status == 1);
      CHECK(result.out == "");
      check_holds(result.err, facts);
    }
  }
}

// Each reader finds the superblock in `path` bad. To era_check that is a problem like others, so
// there is a report as well.
void check_bad_superblock(const bench& bench, const std::string& path, const words& looks_like) {
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, path);
      CHECK(result.status == 1);
      CHECK((result.out == "") == (tool != "era_check"));
      check_holds(result.err, {"bad checksum in superblock"});
      check_holds(result.err + result.out, looks_like);
    }
  }
}

// 64 blocks, all zero but for the checksum of the first, which is that of another target's
// superblock: what distinguishes the targets is the constant in it (doc/format.md 1.1).
std::string foreign_metadata(std::uint32_t constant) {
  constexpr std::uint32_t sum_of_zeros = 0x58cda791;
  const std::uint32_t checksum = sum_of_zeros ^ constant;
  std::string bytes(64 * fixtures::block_bytes, '\0');
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[i] = static_cast<char>(checksum >> (8 * i));
  }
  return bytes;
}

harness::run_options nobody() {
  harness::run_options options;
  options.as_nobody = true;
  return options;
}

// era_check names the file in its report.
std::string without(std::string text, const std::string& path) {
  for (auto at = text.find(path); at != std::string::npos; at = text.find(path)) {
    text.erase(at, path.size());
  }
  return text;
}

void set_mode(const std::string& path, unsigned mode) {
  std::filesystem::permissions(path, static_cast<std::filesystem::perms>(mode));
}

}  // namespace

TEST_CASE("an input that is missing") {
  const bench bench;
  const auto path = bench / "nowhere";
  check_not_read(bench, harness::all_tools(), path, {path + ": No such file or directory"});
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an input in a folder that is missing") {
  const bench bench;
  const auto path = bench / "no/where";
  check_not_read(bench, harness::all_tools(), path, {path + ": No such file or directory"});
}

TEST_CASE("an input that is a directory") {
  const bench bench;
  check_not_read(bench, harness::readers(), bench.path(),
                 {bench.path() + ": Not a block device or regular file"});
  check_not_read(bench, {"era_restore"}, bench.path(), {bench.path() + ": "});
}

TEST_CASE("an input that is a character device") {
  const bench bench;
  check_not_read(bench, harness::readers(), "/dev/null",
                 {"/dev/null: Not a block device or regular file"});
}

TEST_CASE("an input that is a fifo is refused without waiting for a writer") {
  const bench bench;
  const auto path = bench / "fifo";
  REQUIRE(harness::run({"mkfifo", path}).status == 0);
  harness::run_options options;
  options.seconds = 10;
  check_not_read(bench, harness::readers(), path, {path + ": Not a block device or regular file"},
                 options);
}

TEST_CASE("an input that may not be read") {
  if (!fixtures::nobody_can_run_tools()) {
    return;
  }
  const bench bench;
  set_mode(bench.device, 0666);
  set_mode(bench.metadata, 0);
  check_not_read(bench, harness::readers(), bench.metadata,
                 {bench.metadata + ": Permission denied"}, nobody());
  set_mode(bench.xml, 0);
  check_not_read(bench, {"era_restore"}, bench.xml, {bench.xml + ": Permission denied"}, nobody());
  set_mode(bench.script, 0);
  check_not_read(bench, {"era_simulate"}, bench.script, {bench.script + ": Permission denied"},
                 nobody());
}

TEST_CASE("an input that may only be read is enough") {
  if (!fixtures::nobody_can_run_tools()) {
    return;
  }
  const bench bench;
  harness::make_zeroed(bench.copy, 0);
  for (const auto& output : {bench.device, bench.copy}) {
    set_mode(output, 0666);
  }
  for (const auto& tool : harness::all_tools()) {
    DYNAMIC_SECTION(tool) {
      const auto& input = bench.good_input(tool);
      set_mode(input, tool == "era_message" ? 0666 : 0444);  // a socket is written to
      const auto result = bench.read(tool, input, {}, nobody());
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK((result.out == "") == (tool == "era_restore"));
    }
  }
}

TEST_CASE("an input too small for a superblock") {
  const bench bench;
  const auto path = bench / "tiny";
  const auto size = GENERATE(0, 1, 512, 1024, 4095);
  INFO(size << " bytes");
  harness::make_zeroed(path, static_cast<std::uint64_t>(size));
  check_not_read(bench, harness::readers(), path,
                 {"Metadata device/file too small.  Is this binary metadata?"});
}

TEST_CASE("an input that is XML") {
  const bench bench;
  const auto path = bench / "some.xml";
  const std::string start = GENERATE("", "<?xml version=\"1.0\"?>\n");
  const std::size_t blanks = GENERATE(0, 10000);
  INFO(start << blanks << " blanks");
  harness::write_file(path, start + fixtures::example().xml() + std::string(blanks, ' ') + "\n");
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, path);
      CHECK(result.status == 1);
      CHECK(result.out == "");
      check_holds(result.err,
                  {"This looks like XML.  " + tool + " only reads the binary metadata format."});
    }
  }
}

TEST_CASE("a zeroed input") {
  const bench bench;
  check_bad_superblock(bench, bench.device, {"zero"});
  // Not changed by the look at it.
  CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
}

TEST_CASE("an input of one zeroed block") {
  const bench bench;
  const auto path = bench / "one block";
  harness::make_zeroed(path, fixtures::block_bytes);
  check_bad_superblock(bench, path, {"zero"});
}

TEST_CASE("the superblock of another target is named") {
  const bench bench;
  const auto path = bench / "foreign";
  const auto [constant, name] =
      GENERATE(table<std::uint32_t, std::string>({{160774, "thin"}, {9031977, "cache"}}));
  INFO(name);
  harness::write_file(path, foreign_metadata(constant));
  check_bad_superblock(bench, path, {" " + name + " "});
}

TEST_CASE("a superblock with a changed byte looks like nothing known") {
  const bench bench;
  auto bytes = harness::read_file(bench.metadata);
  bytes[184] ^= 1;
  harness::write_file(bench.metadata, bytes);
  check_bad_superblock(bench, bench.metadata, {});
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool << " guesses nothing") {
      const auto result = bench.read(tool, bench.metadata);
      const std::regex guess(R"(\bthin\b|\bcache\b|all zero|interrupted)");
      CHECK_FALSE(std::regex_search(result.err + result.out, guess));
    }
  }
}

TEST_CASE("the mark of an interrupted restore is recognised") {
  const bench bench;
  fixtures::leave_interrupted_restore(bench.device);
  check_bad_superblock(bench, bench.device, {"interrupted", "restore"});
}

TEST_CASE("garbage is refused and never crashes a tool") {
  const bench bench;
  const auto path = bench / "garbage";
  const auto seed = GENERATE(1u, 2u, 3u);
  std::string bytes(20 * fixtures::block_bytes, '\0');
  std::uint32_t state = seed;
  for (auto& byte : bytes) {
    state = state * 1664525 + 1013904223;
    byte = static_cast<char>(state >> 24);
  }
  bytes[0] = 'g';  // a tag at the start would look like XML
  harness::write_file(path, bytes);
  check_bad_superblock(bench, path, {});
}

TEST_CASE("a partial block at the end of the input is ignored") {
  const bench bench;
  const auto longer = bench / "longer";
  harness::write_file(longer, harness::read_file(bench.metadata) + std::string(100, 'x'));
  for (const auto& tool : harness::readers()) {
    DYNAMIC_SECTION(tool) {
      const auto expected = bench.read(tool, bench.metadata);
      REQUIRE(expected.out != "");
      const auto result = bench.read(tool, longer);
      CHECK(result.status == 0);
      CHECK(result.err == "");
      CHECK(without(result.out, longer) == without(expected.out, bench.metadata));
    }
  }
}

TEST_CASE("a device in use is read only for its metadata snapshot") {
  const bench bench;
  harness::image_named("snap_held").unpack(bench.metadata);
  fixtures::loop_device device(bench.metadata);
  if (!device.available()) {
    return;
  }
  const auto& path = device.path();
  SECTION("it is free") {
    for (const auto& tool : harness::readers()) {
      INFO(tool);
      const auto result = bench.read(tool, path);
      CHECK(result.status == 0);
      CHECK(result.err == "");
      const auto expected = bench.read(tool, bench.metadata);
      CHECK(without(result.out, path) == without(expected.out, bench.metadata));
    }
  }
  SECTION("it is in use") {
    device.occupy();
    for (const auto& tool : harness::readers()) {
      INFO(tool);
      const auto result = bench.read(tool, path);
      CHECK(result.status == 1);
      CHECK(result.out == "");
      check_holds(result.err, {path + ": Device or resource busy", "eactivate"});
    }
    for (const std::string tool : {"era_dump", "era_invalidate"}) {
      INFO(tool);
      check_holds(bench.read(tool, path).err, {"--metadata-snapshot", "take_metadata_snap"});
      const auto snapshot = bench.read(tool, path, {"--metadata-snapshot"});
      CHECK(snapshot.status == 0);
      CHECK(snapshot.err == "");
      CHECK(snapshot.out == bench.read(tool, bench.metadata, {"--metadata-snapshot"}).out);
    }
  }
}
