// The tools against metadata that a kernel wrote, whose last-written eras are known from the log of
// what was done to the device.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.h"
#include "dump_parser.h"
#include "harness.h"

namespace {

using harness::difference;
using harness::image;
using harness::result;
using harness::run;
using harness::temporary_folder;
using harness::tool;
using harness::truth;

// An image unpacked into a folder of its own.
struct device {
  explicit device(const image& unpacked) : source(unpacked) { source.unpack(path); }

  const image& source;
  temporary_folder folder;
  std::string path = folder / "metadata";
};

using options = std::vector<std::string>;

const options live = {};
const options snapshot = {"--metadata-snapshot"};

result run_tool(const std::string& name, const options& before, const std::string& path) {
  options arguments = {tool(name)};
  arguments.insert(arguments.end(), before.begin(), before.end());
  arguments.push_back(path);
  return run(arguments);
}

options joined(options first, const options& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

// The helpers below answer with what is wrong, or with "" where all is as it should be.

std::string trouble(const result& got) {
  if (got.status != 0) {
    return "exit status " + std::to_string(got.status) + ", stderr: " + got.err;
  }
  return got.err.empty() ? "" : "stderr: " + got.err;
}

std::string trouble(const result& got, const std::string& expected) {
  const auto failure = trouble(got);
  return failure.empty() ? difference(got.out, expected) : failure;
}

std::string check_trouble(const std::string& path) {
  return trouble(run_tool("era_check", {}, path));
}

std::string logical_trouble(const device& device, const truth& truth, const options& state) {
  return trouble(run_tool("era_dump", joined(state, {"--logical"}), device.path),
                 truth.logical_xml(device.source.block_size));
}

std::string invalidate_trouble(const device& device, const truth& truth, const options& state) {
  const std::uint32_t latest = truth.current_era + (state == live ? 1 : 0);
  for (std::uint32_t era = 0; era <= latest; ++era) {
    const auto since = std::to_string(era);
    auto found =
        trouble(run_tool("era_invalidate", joined(state, {"--written-since", since}), device.path),
                truth.invalidate_xml(era));
    if (!found.empty()) {
      return found.insert(0, "since " + since + ": ");
    }
  }
  const auto after = std::to_string(latest + 1);
  const auto refused =
      run_tool("era_invalidate", joined(state, {"--written-since", after}), device.path);
  const bool says_why = refused.err.find("since era " + after + " is") != std::string::npos;
  return refused.status == 1 && refused.out.empty() && says_why ? "" : "takes era " + after;
}

std::string dump_difference(const harness::dump& dump, const device& device, const truth& truth) {
  if (dump.block_size != device.source.block_size || dump.nr_blocks != truth.nr_blocks ||
      dump.current_era != truth.current_era) {
    return "the superblock element is wrong";
  }
  return dump.fold() == truth.eras() ? "" : "the eras are wrong";
}

std::string dump_trouble(const device& device, const truth& truth, const options& state) {
  const auto got = run_tool("era_dump", state, device.path);
  auto failure = trouble(got);
  if (!failure.empty()) {
    return failure;
  }
  try {
    return dump_difference(harness::parse_dump(got.out), device, truth);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
}

// Restores `xml` into a file as large as the image, at `to`.
std::string restore_trouble(const device& device, const std::string& xml, const std::string& to) {
  const auto input = device.folder / "restore.xml";
  harness::write_file(input, xml);
  harness::make_zeroed(to, device.source.metadata_bytes);
  return trouble(run({tool("era_restore"), "-i", input, "-o", to}), "");
}

// Dumps with `form`, restores, and compares the plain dumps of both.
std::string round_trip_trouble(const device& device, const options& form) {
  const auto restored = device.folder / "restored";
  const auto xml = run_tool("era_dump", form, device.path);
  const auto plain = run_tool("era_dump", {}, device.path);
  for (const auto& found :
       {trouble(xml), trouble(plain), restore_trouble(device, xml.out, restored),
        check_trouble(restored), trouble(run_tool("era_dump", {}, restored), plain.out),
        trouble(run_tool("era_dump", {"--logical"}, restored),
                device.source.live.logical_xml(device.source.block_size))}) {
    if (!found.empty()) {
      return found;
    }
  }
  return "";
}

bool any_bit(const harness::dumped_writeset& writeset) {
  return std::find(writeset.bits.begin(), writeset.bits.end(), true) != writeset.bits.end();
}

// How many writesets mark each block.
std::vector<unsigned> marks(const harness::dump& dump) {
  std::vector<unsigned> counts(dump.nr_blocks, 0);
  for (const auto& writeset : dump.writesets) {
    for (std::size_t block = 0; block < std::min(counts.size(), writeset.bits.size()); ++block) {
      counts[block] += writeset.bits[block] ? 1 : 0;
    }
  }
  return counts;
}

// A plain dump without the lines that say nothing: unset bits and zero eras.
std::string without_empty_lines(const std::string& xml) {
  std::string result;
  for (std::size_t begin = 0; begin < xml.size();) {
    const auto end = xml.find('\n', begin) + 1;
    const auto line = xml.substr(begin, end - begin);
    if (!line.ends_with(" value=\"false\"/>\n") && !line.ends_with(" era=\"0\"/>\n")) {
      result += line;
    }
    begin = end;
  }
  return result;
}

// Compares the JSON of era_invalidate with the truth, key by key.
void check_json(const device& device, const truth& truth, const options& state,
                std::uint32_t since) {
  const auto got = run_tool(
      "era_invalidate",
      joined(state, {"--format", "json", "--written-since", std::to_string(since)}), device.path);
  REQUIRE(trouble(got) == "");
  const auto json = nlohmann::json::parse(got.out);
  const bool from_snapshot = state == snapshot;
  const bool open = device.source.current_writeset_open;
  CHECK(json.at("tool") == "era_invalidate");
  CHECK(json.at("version").get<std::string>() + '\n' == run({tool("era_invalidate"), "-V"}).out);
  CHECK(json.at("file") == device.path);
  CHECK(json.at("block_size_sectors") == device.source.block_size);
  CHECK(json.at("block_size_bytes") == device.source.block_size * 512);
  CHECK(json.at("nr_blocks") == truth.nr_blocks);
  CHECK(json.at("source") == (from_snapshot ? "snapshot" : "live"));
  CHECK(json.at("current_writeset_open").is_boolean());
  if (!from_snapshot) {
    CHECK(json.at("current_writeset_open") == open);
  }
  CHECK(json.at("current_era") == truth.current_era);
  CHECK(json.at("written_since") == since);
  CHECK(json.at("next_since") == truth.current_era + (open || from_snapshot ? 0 : 1));

  std::uint64_t total = 0;
  std::string xml = "<blocks>\n";
  for (const auto& range : json.at("ranges")) {
    const auto begin = range.at("begin").get<std::uint64_t>();
    const auto end = range.at("end").get<std::uint64_t>();
    total += end - begin;
    xml += end == begin + 1 ? "  <block block=\"" + std::to_string(begin) + "\"/>\n"
                            : "  <range begin=\"" + std::to_string(begin) + "\" end = \"" +
                                  std::to_string(end) + "\"/>\n";
  }
  CHECK(difference(xml + "</blocks>\n", truth.invalidate_xml(since)) == "");
  CHECK(json.at("total_blocks") == total);
  CHECK(json.at("total_bytes") == total * device.source.block_size * 512);
}

// Eras around every border that matters, without the hundreds in between.
std::vector<std::uint32_t> some_eras(const truth& truth, const options& state) {
  std::vector<std::uint32_t> eras = {0, 1, truth.current_era / 2, truth.current_era};
  if (state == live) {
    eras.push_back(truth.current_era + 1);
  }
  std::sort(eras.begin(), eras.end());
  eras.erase(std::unique(eras.begin(), eras.end()), eras.end());
  return eras;
}

}  // namespace

TEST_CASE("the images hold metadata snapshots whose eras differ from the live ones") {
  const auto different = [](const image& image) {
    return image.snapshot && image.snapshot->eras() != image.live.eras();
  };
  CHECK(std::any_of(harness::images().begin(), harness::images().end(), different));
}

TEST_CASE("era_invalidate takes --metadata-snap for --metadata-snapshot") {
  for (const auto& image : harness::some_images()) {
    if (image.snapshot) {
      INFO(image.name);
      const device device(image);
      CHECK(invalidate_trouble(device, *image.snapshot, {"--metadata-snap"}) == "");
    }
  }
}

TEST_CASE("era_dump --metadata-snapshot dumps the snapshot's eras, logical and plain") {
  for (const auto& image : harness::images()) {
    if (image.snapshot) {
      INFO(image.name);
      const device device(image);
      CHECK(logical_trouble(device, *image.snapshot, snapshot) == "");
      CHECK(dump_trouble(device, *image.snapshot, snapshot) == "");
    }
  }
}

TEST_CASE("metadata snapshot options fail where there is no snapshot") {
  for (const auto& image : harness::images()) {
    if (image.snapshot) {
      continue;
    }
    INFO(image.name);
    const device device(image);
    for (const auto& got :
         {run_tool("era_invalidate", {"--metadata-snapshot", "--written-since", "0"}, device.path),
          run_tool("era_invalidate", {"--metadata-snap", "--written-since", "0"}, device.path),
          run_tool("era_dump", {"--metadata-snapshot"}, device.path),
          run_tool("era_dump", {"--metadata-snapshot", "--logical"}, device.path)}) {
      CHECK(got.status == 1);
      CHECK(got.out == "");
      CHECK_THAT(got.err, Catch::Contains("no current metadata snap"));
    }
  }
}

TEST_CASE("a compact dump restores to metadata that is clean and dumps the same") {
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    const device device(image);
    CHECK(round_trip_trouble(device, {"--compact"}) == "");
  }
}

TEST_CASE("a compact dump is the plain one without unset bits and zero eras") {
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    const device device(image);
    for (const auto& form : {options{}, options{"--logical"}}) {
      const auto plain = run_tool("era_dump", form, device.path);
      const auto compact = run_tool("era_dump", joined(form, {"--compact"}), device.path);
      CHECK(trouble(plain) == "");
      CHECK(trouble(compact, without_empty_lines(plain.out)) == "");
      CHECK(harness::parse_compact_dump(compact.out).fold() == image.live.eras());
    }
  }
}

TEST_CASE("era_dump --repair of an undamaged image prints the same and no remark") {
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    const device device(image);
    const auto plain = run_tool("era_dump", {}, device.path);
    CHECK(trouble(plain) == "");
    CHECK(trouble(run_tool("era_dump", {"--repair"}, device.path), plain.out) == "");
    CHECK(logical_trouble(device, image.live, {"-r"}) == "");
  }
}

TEST_CASE("era_invalidate --format json says the same as the XML, and where it comes from") {
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    const device device(image);
    for (const auto era : some_eras(image.live, live)) {
      check_json(device, image.live, live, era);
    }
    if (image.snapshot) {
      for (const auto era : some_eras(*image.snapshot, snapshot)) {
        check_json(device, *image.snapshot, snapshot, era);
      }
    }
  }
}

TEST_CASE("after a power cut era_invalidate lists the blocks of the open era") {
  const auto& image = harness::image_named("power_cut");
  REQUIRE(image.current_writeset_open);
  const device device(image);
  const auto current = image.live.current_era;
  const auto expected = image.live.invalidate_xml(current);
  REQUIRE(expected != image.live.invalidate_xml(current + 1));
  CHECK(
      trouble(run_tool("era_invalidate", {"--written-since", std::to_string(current)}, device.path),
              expected) == "");
}

TEST_CASE("after a power cut era_dump has the open era as its last writeset") {
  const auto& image = harness::image_named("power_cut");
  REQUIRE(image.current_writeset_open);
  const device device(image);
  const auto dump = harness::parse_dump(run_tool("era_dump", {}, device.path).out);
  REQUIRE_FALSE(dump.writesets.empty());
  CHECK(dump.writesets.back().era == image.live.current_era);
  CHECK(any_bit(dump.writesets.back()));
}

TEST_CASE("the newest era wins where several writesets mark a block") {
  for (const std::string name : {"undigested_remove", "power_cut"}) {
    INFO(name);
    const auto& image = harness::image_named(name);
    const device device(image);
    const auto plain = harness::parse_dump(run_tool("era_dump", {}, device.path).out);
    const auto counts = marks(plain);
    REQUIRE(std::any_of(counts.begin(), counts.end(), [](unsigned count) { return count > 1; }));
    const auto logical = harness::parse_dump(run_tool("era_dump", {"--logical"}, device.path).out);
    CHECK(logical.writesets.empty());
    CHECK(logical.era_array == plain.fold());
    CHECK(logical.era_array == image.live.eras());
  }
}

TEST_CASE("every image: all tools agree with the truth") {
  const auto cell = [](const std::string& found) -> std::string {
    CHECK(found == "");
    return found.empty() ? "equal" : "DIFFERS";
  };
  std::vector<std::vector<std::string>> table = {{"image", "check", "dump", "dump --logical",
                                                  "invalidate live", "invalidate snapshot",
                                                  "restored and checked"}};
  for (const auto& image : harness::images()) {
    INFO(image.name);
    const device device(image);
    table.push_back(
        {image.name, cell(check_trouble(device.path)), cell(dump_trouble(device, image.live, live)),
         cell(logical_trouble(device, image.live, live)),
         cell(invalidate_trouble(device, image.live, live)),
         image.snapshot ? cell(invalidate_trouble(device, *image.snapshot, snapshot)) : "-",
         cell(round_trip_trouble(device, {}))});
  }
  harness::print_table(table);
}
