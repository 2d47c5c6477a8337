// Questions that the metadata cannot answer honestly, and metadata that cannot be, though every
// block of it is sound: each reader refuses, and says why; a repair makes something safe of it.
#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"
#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

namespace superblock = harness::superblock;
using Catch::Contains;
using fixtures::bench;
using fixtures::call;
using fixtures::document;
using words = std::vector<std::string>;

void check_refused(const harness::result& got, const std::string& reason) {
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK_THAT(got.err, Contains(reason) && Catch::EndsWith("\n"));
}

harness::result list(const std::string& path, const std::string& since, const words& more = {}) {
  words arguments = {"--written-since", since, path};
  arguments.insert(arguments.begin(), more.begin(), more.end());
  return call("era_invalidate", arguments);
}

// All that read the whole: they refuse for the same reason, on every way.
void check_all_refuse(const std::string& path, const std::string& reason) {
  const auto checked = call("era_check", {path});
  CHECK(checked.status == 1);
  CHECK_THAT(checked.out, Contains("error ") && Contains(reason));
  check_refused(call("era_dump", {path}), reason);
  check_refused(call("era_dump", {"--logical", path}), reason);
  check_refused(list(path, "0"), reason);
  check_refused(list(path, "1"), reason);
  check_refused(call("era_stat", {path}), reason);
}

// Restores what --repair makes of it, and returns that.
harness::dump check_repaired(const bench& bench, const std::string& path) {
  const auto repaired = call("era_dump", {"--repair", path});
  REQUIRE(repaired.status == 0);
  fixtures::restore(repaired.out, bench / "restored", 4 << 20);
  CHECK(call("era_check", {bench / "restored"}).status == 0);
  return harness::parse_dump(repaired.out);
}

const document plain = {128, 100, 12, {{11, 100, {1}}, {12, 100, {2}}}, {{3, 5}}};

}  // namespace

TEST_CASE("a list since an era that nobody can have noted is refused") {
  const bench bench;
  fixtures::restore(plain.xml(), bench.device);
  CHECK(list(bench.device, "12").out == "<blocks>\n  <block block=\"2\"/>\n</blocks>\n");
  CHECK(list(bench.device, "13").out == "<blocks>\n</blocks>\n");
  for (const std::string since : {"14", "500", "4294967295"}) {
    for (const words& more : {words{}, {"-o", bench / "list"}}) {
      const auto got = list(bench.device, since, more);
      check_refused(got, "since era " + since + " is asked for, but the current era is 12");
      CHECK_FALSE(std::filesystem::exists(bench / "list"));
    }
  }
}

TEST_CASE("a list that needs a missing era is refused, and one since a later era is not") {
  const bench bench;
  fixtures::restore(document{128, 100, 8, {{4, 100, {1}}, {7, 100, {2}}, {8, 100, {3}}}, {}}.xml(),
                    bench.device);
  CHECK(call("era_check", {bench.device}).status == 0);
  for (const std::string since : {"0", "4", "5", "6"}) {
    check_refused(list(bench.device, since), "the eras 5 to 6 are missing");
  }
  CHECK(list(bench.device, "7").out == "<blocks>\n  <range begin=\"2\" end = \"4\"/>\n</blocks>\n");
  check_refused(call("era_dump", {bench.device}), "the eras 5 to 6 are missing");
  check_refused(call("era_dump", {"--logical", bench.device}), "the eras 5 to 6 are missing");

  const auto repaired = check_repaired(bench, bench.device).fold();
  CHECK(repaired.at(0) == 6);
  CHECK(repaired.at(1) == 6);
  CHECK(repaired.at(2) == 7);
  CHECK(repaired.at(3) == 8);
  CHECK(list(bench / "restored", "6").out ==
        "<blocks>\n  <range begin=\"0\" end = \"100\"/>\n</blocks>\n");
}

TEST_CASE("a list whose current era is missing is refused") {
  const bench bench;
  fixtures::restore(document{128, 100, 9, {{7, 100, {2}}, {8, 100, {3}}}, {}}.xml(), bench.device);
  check_refused(list(bench.device, "9"), "era 9 is missing");
  CHECK(list(bench.device, "10").status == 0);
}

TEST_CASE("eras later than the current one are refused by every reader") {
  const bench bench;
  fixtures::restore(plain.xml(), bench.device);
  const auto bytes = harness::read_file(bench.device);
  harness::write_file(bench.metadata, bytes);
  harness::metadata_bytes metadata{harness::image_named("one_era")};
  SECTION("an archived one") {
    metadata = harness::metadata_bytes(harness::image_named("undigested_remove"));
    const auto last = metadata.get32(0, superblock::current_era);
    metadata.set32(0, superblock::current_era, last - 1);
    harness::write_file(bench.metadata, metadata.bytes());
    check_all_refuse(bench.metadata, "archived, though the current era is");
    CHECK(check_repaired(bench, bench.metadata).current_era == last);
  }
  SECTION("one in the array") {
    const auto array = metadata.array_blocks(metadata.get64(0, superblock::era_array)).at(0);
    metadata.set32(array, harness::array::values, 1000);
    harness::write_file(bench.metadata, metadata.bytes());
    check_all_refuse(bench.metadata, "data block 0 has era 1000, but the current era is");
    const auto repaired = check_repaired(bench, bench.metadata);
    CHECK(repaired.current_era == 1000);
    CHECK(repaired.fold().at(1) == 1000);
  }
}

TEST_CASE("superblocks that cannot be are refused by every reader, though their sums are right") {
  const bench bench;
  const auto with = [&](std::size_t field, std::uint32_t value) {
    harness::metadata_bytes metadata(harness::image_named("one_era"));
    metadata.set32(0, field, value);
    harness::write_file(bench.metadata, metadata.bytes());
  };
  SECTION("no data blocks, though an era has begun") {
    with(superblock::nr_blocks, 0);
    check_all_refuse(bench.metadata, "no data blocks, but the current era is 1");
  }
  SECTION("a data block size of 0, or no multiple of 8") {
    for (const std::uint32_t size : {0, 12}) {
      with(172, size);
      check_all_refuse(bench.metadata, "data block size is " + std::to_string(size));
    }
  }
  SECTION("more bytes than 64 bits can count") {
    harness::metadata_bytes metadata(harness::image_named("one_era"));
    metadata.set32(0, 172, 0xFFFFFFF8);
    harness::write_file(bench.metadata, metadata.bytes());
    CHECK(list(bench.metadata, "0", {"--format", "json"}).status == 0);
  }
}

TEST_CASE("metadata restored from a logical dump is sound and answers") {
  const bench bench;
  fixtures::restore(document{128, 100, 9, {}, {{3, 9}, {4, 2}}}.xml(), bench.device);
  CHECK_THAT(call("era_check", {bench.device}).out, Contains(" 0 remarks"));
  CHECK(list(bench.device, "9").out == "<blocks>\n  <block block=\"3\"/>\n</blocks>\n");
}

TEST_CASE("an incomplete copy says so first") {
  const bench bench;
  harness::metadata_bytes metadata(harness::image_named("power_cut"));
  harness::write_file(bench.metadata, metadata.bytes().substr(0, 40 * fixtures::block_bytes));
  const std::string reason = "but the device has 40: it is cut off, or an incomplete copy";
  const auto checked = call("era_check", {bench.metadata});
  CHECK(checked.status == 1);
  CHECK(checked.out.find(reason) < checked.out.find('\n'));
  check_refused(call("era_dump", {bench.metadata}), reason);
  check_refused(list(bench.metadata, "1"), reason);

  harness::metadata_bytes small(harness::image_named("one_era"));
  const auto end_of_used = small.used_blocks().back() + 1;
  harness::write_file(bench.metadata, small.bytes().substr(0, end_of_used * fixtures::block_bytes));
  check_refused(list(bench.metadata, "1"), "it is cut off, or an incomplete copy");
  harness::write_file(bench / "whole", small.bytes());
  CHECK(call("era_dump", {"--repair", bench.metadata}).out == fixtures::dump(bench / "whole"));
}

TEST_CASE("an era that a kernel's digestion would lower is told of, and a repair keeps it") {
  const bench bench;
  harness::metadata_bytes metadata(harness::image_named("undigested_remove"));
  const auto oldest = metadata.writesets(metadata.get64(0, superblock::writeset_tree))[0].era;
  const auto array = metadata.array_blocks(metadata.get64(0, superblock::era_array)).at(0);
  metadata.set32(array, harness::array::values, oldest + 1);
  harness::write_file(bench.metadata, metadata.bytes());
  const auto checked = call("era_check", {bench.metadata});
  CHECK(checked.status == 1);
  CHECK_THAT(checked.out, Contains("non-fatal era-above-archived"));
  CHECK(call("era_check", {"--ignore-non-fatal-errors", bench.metadata}).status == 0);
  const auto before = harness::parse_dump(fixtures::dump(bench.metadata)).fold();
  CHECK(check_repaired(bench, bench.metadata).fold() == before);
}

TEST_CASE("what was not counted is not 0") {
  const bench bench;
  harness::metadata_bytes metadata(harness::image_named("one_era"));
  const auto json = nlohmann::json::parse(
      call("era_check", {"--super-block-only", "--format", "json", bench.metadata}).out);
  CHECK(json.at("archived_writesets").is_null());
  CHECK(json.at("metadata_blocks_total") == 256);
  CHECK(json.at("metadata_blocks_used") == metadata.used_blocks().size());
  CHECK_THAT(
      call("era_check", {"--super-block-only", bench.metadata}).out,
      Contains("archived writesets not read") && Contains(" of 256 metadata blocks are in use"));
  metadata.damage(metadata.get64(0, superblock::writeset_tree), 100, 1);
  harness::write_file(bench.metadata, metadata.bytes());
  const auto damaged = call("era_check", {bench.metadata}).out;
  CHECK_THAT(damaged, Contains("archived writesets not read"));
  CHECK_THAT(damaged, Contains("written in the eras 0 to 1 is unknown"));
}

TEST_CASE("a snapshot can be checked alone") {
  const bench bench;
  const auto& image = harness::image_named("snap_held");
  harness::metadata_bytes metadata(image);
  metadata.damage(metadata.get64(0, superblock::map_index), 100, 1);
  harness::write_file(bench.metadata, metadata.bytes());
  CHECK(call("era_check", {bench.metadata}).status == 1);
  for (const std::string option : {"--metadata-snapshot", "--metadata-snap"}) {
    const auto checked = call("era_check", {option, bench.metadata});
    CHECK(checked.err == "");
    CHECK(checked.status == 0);
    CHECK_THAT(checked.out, Contains("metadata snapshot: current era " +
                                     std::to_string(image.snapshot->current_era)));
  }
  image.unpack(bench.metadata);
  const auto none = call("era_check", {"--metadata-snapshot", bench.device});
  CHECK(none.status == 1);
}
