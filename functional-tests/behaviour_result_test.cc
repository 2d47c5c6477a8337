// What the tools print: the report of era_check, the lists that the peers' own tests demand, small
// metadata byte for byte, and that damage ends in no result at all. What is printed for metadata of
// a kernel is the subject of images_test.cc.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"
#include "questions.h"

namespace {

using Catch::Contains;
using fixtures::bench;
using fixtures::call;
using fixtures::document;

using words = std::vector<std::string>;

const std::vector<std::size_t> all_roots = {harness::superblock::era_array,
                                            harness::superblock::writeset_tree,
                                            harness::superblock::current_root};

harness::result invalidate(const std::string& path, std::uint32_t since) {
  return call("era_invalidate", {"--written-since", std::to_string(since), path});
}

std::ptrdiff_t lines(const std::string& text) {
  return std::count(text.begin(), text.end(), '\n');
}

}  // namespace

TEST_CASE("era_check ends its report with a summary") {
  const bench bench;
  const auto result = call("era_check", {bench.metadata});
  CHECK(result.status == 0);
  CHECK(result.err == "");
  CHECK(lines(result.out) >= 1);
  CHECK(result.out.back() == '\n');
}

TEST_CASE("era_check reports every damaged block, and the verdict in one line") {
  const bench bench;
  const auto damaged =
      fixtures::unpack_damaged(harness::image_named("power_cut"), all_roots, bench.metadata);
  SECTION("as text") {
    const auto result = call("era_check", {bench.metadata});
    CHECK(result.status == 1);
    CHECK(lines(result.err) == 1);
    for (const auto block : damaged) {
      CHECK(harness::has_number(result.out, block));
    }
    // What lies beneath is not known, so nothing there can be called a leak.
    CHECK_THAT(result.out, !Contains("leak") && !Contains("count-too-high"));
  }
  SECTION("as JSON") {
    const auto result = call("era_check", {"--format=json", bench.metadata});
    CHECK(result.status == 1);
    CHECK(lines(result.err) == 1);
    const auto report = nlohmann::json::parse(result.out, nullptr, false);
    REQUIRE(report.is_object());
    std::set<std::uint64_t> reported;
    for (const auto& problem : report.at("problems")) {
      reported.insert(problem.at("block").get<std::uint64_t>());
      for (const std::string key : {"code", "severity", "what", "consequence"}) {
        CHECK(problem.at(key).get<std::string>() != "");
      }
    }
    CHECK(reported == std::set<std::uint64_t>(damaged.begin(), damaged.end()));
  }
  SECTION("but the superblock is good") {
    const auto result = call("era_check", {"--super-block-only", bench.metadata});
    CHECK(result.status == 0);
    CHECK(result.err == "");
  }
}

TEST_CASE("option --ignore-non-fatal-errors forgives what is harmless, and only that") {
  const bench bench;
  SECTION("harmless") {
    harness::metadata_bytes metadata(harness::image_named("one_era"));
    const auto index = metadata.get64(0, harness::superblock::map_index);
    metadata.set32(index, 24, metadata.get32(index, 24) + 1);  // nr_free of the first bitmap
    harness::write_file(bench.metadata, metadata.bytes());
    const auto strict = call("era_check", {bench.metadata});
    CHECK(strict.status == 1);
    CHECK(lines(strict.err) == 1);
    const auto forgiving = call("era_check", {"--ignore-non-fatal-errors", bench.metadata});
    CHECK(forgiving.status == 0);
    CHECK(forgiving.err == "");
    CHECK(forgiving.out == strict.out);
  }
  SECTION("nothing wrong") {
    CHECK(call("era_check", {"--ignore-non-fatal-errors", bench.metadata}).status == 0);
  }
  SECTION("damage") {
    fixtures::unpack_damaged(harness::image_named("one_era"), {all_roots[0]}, bench.metadata);
    CHECK(call("era_check", {"--ignore-non-fatal-errors", bench.metadata}).status == 1);
  }
}

TEST_CASE("option --super-block-only checks the superblock") {
  const bench bench;
  CHECK(call("era_check", {"--super-block-only", bench.metadata}).status == 0);
  const auto zeroed = call("era_check", {"--super-block-only", bench.device});
  CHECK(zeroed.status == 1);
  CHECK_THAT(zeroed.err, Contains("bad checksum in superblock"));
}

TEST_CASE("the example of the format document is dumped and listed byte for byte") {
  const bench bench;
  fixtures::restore(fixtures::example().xml(), bench.device);
  CHECK(fixtures::dump(bench.device) == fixtures::example().xml());
  CHECK(fixtures::dump(bench.device, {"--compact"}) == fixtures::example().compact_xml());
  const document logical = {
      128, 10, 5, {}, {{1, 4}, {2, 5}, {3, 1}, {5, 5}, {6, 5}, {7, 5}, {8, 3}, {9, 4}}};
  CHECK(fixtures::dump(bench.device, {"--logical"}) == logical.xml());
  CHECK(fixtures::dump(bench.device, {"--logical", "--compact"}) == logical.compact_xml());
  CHECK(invalidate(bench.device, 4).out ==
        "<blocks>\n"
        "  <range begin=\"1\" end = \"3\"/>\n"
        "  <range begin=\"5\" end = \"8\"/>\n"
        "  <block block=\"9\"/>\n"
        "</blocks>\n");
}

TEST_CASE("lists of metadata without writesets") {
  const bench bench;
  const document document = {128, 16, 6, {}, {{0, 1}, {1, 2}, {2, 3}, {3, 4}, {4, 5}}};
  fixtures::restore(document.xml(), bench.device);
  CHECK(invalidate(bench.device, 0).out ==
        "<blocks>\n  <range begin=\"0\" end = \"16\"/>\n</blocks>\n");
  CHECK(invalidate(bench.device, 3).out ==
        "<blocks>\n  <range begin=\"2\" end = \"5\"/>\n</blocks>\n");
  CHECK(invalidate(bench.device, 6).out == "<blocks>\n</blocks>\n");
}

TEST_CASE("lists at the borders of the archived eras") {
  const bench bench;
  const document document = {128,
                             128,
                             8,
                             {{5, 128, {0, 1, 2, 3}}, {6, 128, {3, 63, 64}}, {7, 128, {100, 127}}},
                             {{8, 4}, {9, 4}, {64, 2}, {127, 1}}};
  fixtures::restore(document.xml(), bench.device);
  const auto [since, list] = GENERATE(table<std::uint32_t, std::string>({
      {0, "  <range begin=\"0\" end = \"128\"/>\n"},
      {4,
       "  <range begin=\"0\" end = \"4\"/>\n  <range begin=\"8\" end = \"10\"/>\n"
       "  <range begin=\"63\" end = \"65\"/>\n  <block block=\"100\"/>\n  <block "
       "block=\"127\"/>\n"},
      {5,
       "  <range begin=\"0\" end = \"4\"/>\n  <range begin=\"63\" end = \"65\"/>\n"
       "  <block block=\"100\"/>\n  <block block=\"127\"/>\n"},
      {6,
       "  <block block=\"3\"/>\n  <range begin=\"63\" end = \"65\"/>\n  <block block=\"100\"/>\n"
       "  <block block=\"127\"/>\n"},
      {7, "  <block block=\"100\"/>\n  <block block=\"127\"/>\n"},
      {8, ""},
      {4294967295, ""},
  }));
  INFO("since " << since);
  CHECK(invalidate(bench.device, since).out == "<blocks>\n" + list + "</blocks>\n");
}

TEST_CASE("a block in several places has the newest of their eras") {
  const bench bench;
  const document document = {
      128, 70, 9, {{3, 70, {0, 65}}, {5, 70, {0, 65, 66}}, {9, 70, {65}}}, {{0, 2}, {66, 3}}};
  fixtures::restore(document.xml(), bench.device);
  const auto eras = harness::parse_dump(fixtures::dump(bench.device, {"--logical"})).era_array;
  CHECK(eras.at(0) == 5);
  CHECK(eras.at(65) == 9);
  CHECK(eras.at(66) == 5);
  CHECK(invalidate(bench.device, 6).out == "<blocks>\n  <block block=\"65\"/>\n</blocks>\n");
}

TEST_CASE("bits beyond the end of the device are kept in a dump and listed nowhere") {
  const bench bench;
  const document document = {128, 10, 4, {{3, 200, {9, 10, 150}}, {4, 3, {2}}}, {}};
  fixtures::restore(document.xml(), bench.device);
  CHECK(fixtures::dump(bench.device) == document.xml());
  CHECK(invalidate(bench.device, 1).out ==
        "<blocks>\n  <block block=\"2\"/>\n  <block block=\"9\"/>\n</blocks>\n");
  const fixtures::document logical = {128, 10, 4, {}, {{2, 4}, {9, 3}}};
  CHECK(fixtures::dump(bench.device, {"--logical"}) == logical.xml());
}

TEST_CASE("a device without blocks is not damage") {
  const bench bench;
  const document empty;
  fixtures::restore(empty.xml(), bench.device);
  CHECK(call("era_check", {bench.device}).status == 0);
  CHECK(fixtures::dump(bench.device) == empty.xml());
  CHECK(fixtures::dump(bench.device, {"--logical"}) == empty.xml());
  CHECK(invalidate(bench.device, 0).out == "<blocks>\n</blocks>\n");
}

TEST_CASE("damage ends a dump and a list before their first byte") {
  const bench bench;
  const auto root = GENERATE(0u, 1u, 2u);
  const auto block = fixtures::unpack_damaged(harness::image_named("power_cut"), {all_roots[root]},
                                              bench.metadata)[0];
  INFO("block " << block);
  const auto names = fixtures::names_in(bench.path());
  for (const std::string tool : {"era_dump", "era_invalidate"}) {
    for (const words& options : {words{}, words{"-o", bench / "result"}}) {
      DYNAMIC_SECTION(tool << (options.empty() ? "" : " -o")) {
        const auto result = bench.read(tool, bench.metadata, options);
        CHECK(result.status == 1);
        CHECK(result.out == "");
        CHECK(harness::has_number(result.err, block));
        CHECK(fixtures::names_in(bench.path()) == names);
      }
    }
  }
}

TEST_CASE("damage in the last block ends them before the first byte too") {
  const bench bench;
  harness::metadata_bytes metadata(harness::image_named("power_cut"));
  const auto arrays = metadata.array_blocks(metadata.get64(0, harness::superblock::era_array));
  REQUIRE(arrays.size() > 100);
  const auto last = arrays.rbegin()->second;
  metadata.damage(last, 30, 1);
  harness::write_file(bench.metadata, metadata.bytes());
  for (const std::string tool : {"era_dump", "era_invalidate"}) {
    DYNAMIC_SECTION(tool) {
      const auto result = bench.read(tool, bench.metadata);
      CHECK(result.status == 1);
      CHECK(result.out == "");
      CHECK(harness::has_number(result.err, last));
    }
  }
}
