// era_stat: its numbers against those of era_dump and era_invalidate, and its picture.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::call;
using nlohmann::json;
using words = std::vector<std::string>;

json statistics(words arguments) {
  arguments.insert(arguments.end(), {"--format", "json"});
  const auto got = call("era_stat", arguments);
  REQUIRE(got.err == "");
  REQUIRE(got.status == 0);
  return json::parse(got.out);
}

std::size_t count_of(const std::string& text, const std::string& pattern) {
  const std::regex wanted(pattern);
  return static_cast<std::size_t>(
      std::distance(std::sregex_iterator(text.begin(), text.end(), wanted), {}));
}

// Of the colours that a style sheet fills shapes and text with, as WCAG 2 defines it.
std::map<std::string, double> luminances(const std::string& style) {
  static const std::regex rule(R"re(([.a-z0-9]+)\{[^}]*fill:#([0-9a-f]{6}))re");
  const auto linear = [](const std::string& hex) {
    const double value = std::stoi(hex, nullptr, 16) / 255.0;
    return value <= 0.04045 ? value / 12.92 : std::pow((value + 0.055) / 1.055, 2.4);
  };
  std::map<std::string, double> found;
  for (std::sregex_iterator at(style.begin(), style.end(), rule), end; at != end; ++at) {
    const std::string colour = (*at)[2];
    found[(*at)[1]] = 0.2126 * linear(colour.substr(0, 2)) + 0.7152 * linear(colour.substr(2, 2)) +
                      0.0722 * linear(colour.substr(4, 2));
  }
  return found;
}

// Widths of the shapes of a colour in a picture, by the y of their row.
std::map<int, int> widths_by_row(const std::string& svg) {
  static const std::regex shape(
      R"re(<rect class="c\d" x="\d+" y="(\d+)" width="(\d+)" height="\d+"/>)re");
  std::map<int, int> widths;
  for (std::sregex_iterator at(svg.begin(), svg.end(), shape), end; at != end; ++at) {
    widths[std::stoi((*at)[1])] += std::stoi((*at)[2]);
  }
  return widths;
}

}  // namespace

TEST_CASE("era_stat counts what the images hold") {
  const harness::temporary_folder folder;
  for (const auto& image : harness::images()) {
    INFO(image.name);
    image.unpack(folder / "metadata");
    const json found = statistics({folder / "metadata"});
    std::map<std::uint32_t, std::uint64_t> counts;
    for (const std::uint32_t era : image.live.eras()) {
      ++counts[era];
    }
    CHECK(found.at("nr_blocks") == image.live.nr_blocks);
    CHECK(found.at("current_era") == image.live.current_era);
    CHECK(found.at("never_written_blocks") == counts[0]);
    counts.erase(0);
    REQUIRE(found.at("eras").size() == counts.size());
    std::uint64_t since = 0;
    auto row = found.at("eras").rbegin();
    for (auto at = counts.rbegin(); at != counts.rend(); ++at, ++row) {
      since += at->second;
      CHECK(row->at("first_era") == at->first);
      CHECK(row->at("last_era") == at->first);
      CHECK(row->at("blocks") == at->second);
      CHECK(row->at("blocks_since") == since);
      CHECK(row->at("bytes") == at->second * image.block_size * 512);
    }
    std::uint64_t written = 0;
    for (const json& region : found.at("regions")) {
      written += region.at("written_blocks").get<std::uint64_t>();
    }
    CHECK(written == since);
  }
}

TEST_CASE("what era_stat says is copied since an era is what era_invalidate lists") {
  const harness::temporary_folder folder;
  harness::image_named("twelve_eras").unpack(folder / "metadata");
  for (const json& row : statistics({folder / "metadata"}).at("eras")) {
    const auto summary =
        call("era_invalidate", {"--written-since", std::to_string(row.at("first_era").get<int>()),
                                "--summary", "--format", "json", folder / "metadata"});
    CHECK(json::parse(summary.out).at("total_blocks") == row.at("blocks_since"));
  }
}

TEST_CASE("era_stat reads a metadata snapshot, and says what is to be digested") {
  const harness::temporary_folder folder;
  const auto& image = harness::image_named("snap_held");
  image.unpack(folder / "metadata");
  const json live = statistics({folder / "metadata"});
  const json snapshot = statistics({"--metadata-snapshot", folder / "metadata"});
  CHECK(live.at("source") == "live");
  CHECK(snapshot.at("source") == "snapshot");
  CHECK(live.at("metadata_snapshot") == true);
  const json checked =
      json::parse(call("era_check", {"--format", "json", folder / "metadata"}).out);
  CHECK(live.at("undigested").size() == checked.at("archived_writesets"));
  CHECK(live.at("metadata_blocks_used") == checked.at("metadata_blocks_used"));
  CHECK(live.at("metadata_blocks_total") == checked.at("metadata_blocks_total"));
}

TEST_CASE("the table of era_stat has bars, and fits into 80 columns") {
  const harness::temporary_folder folder;
  harness::image_named("twelve_eras").unpack(folder / "metadata");
  const auto got = call("era_stat", {folder / "metadata"});
  CHECK(got.status == 0);
  CHECK(got.err == "");
  CHECK_THAT(got.out, Contains("last written in era") && Contains("never") &&
                          Contains("hottest of") && Contains("#"));
  std::istringstream lines(got.out.substr(got.out.find('\n') + 1));  // after the file's name
  for (std::string line; std::getline(lines, line);) {
    INFO(line);
    CHECK(line.size() <= 80);
  }
  const auto few = call("era_stat", {"--eras", "2", folder / "metadata"});
  CHECK(count_of(few.out, "\n +\\d+(-\\d+)? +\\d+ +[0-9.]+[kMGT]? ") <= 2);
}

TEST_CASE("the picture of era_stat is whole, bounded and covers the device") {
  const harness::temporary_folder folder;
  for (const std::string name : {"twelve_eras", "many_eras", "two_million", "fresh"}) {
    INFO(name);
    harness::image_named(name).unpack(folder / "metadata");
    const auto got = call("era_stat", {"--svg", folder / "svg", folder / "metadata"});
    REQUIRE(got.status == 0);
    CHECK(got.err == "");
    CHECK_THAT(got.out, Contains("last written in era"));
    const std::string svg = harness::read_file(folder / "svg");
    CHECK_THAT(svg, Catch::StartsWith("<svg xmlns=\"http://www.w3.org/2000/svg\"") &&
                        Catch::EndsWith("</svg>\n"));
    CHECK_THAT(svg, Contains("<title>") && Contains("address on the device") &&
                        Contains("share of a region") && Contains("prefers-color-scheme:dark"));
    CHECK(count_of(svg, "<rect ") < 256 * 50 + 20);
    CHECK(svg.find("http", 40) == std::string::npos);  // it needs nothing else
    // Each region has a shape in one row at least.
    int all = 0;
    for (const auto& [row, width] : widths_by_row(svg)) {
      all += width;
    }
    constexpr int legend = 8 * 64;
    constexpr int map_width = 768;
    CHECK(all - legend >= (name == "fresh" ? 0 : map_width));
  }
}

TEST_CASE("the picture of era_stat is well-formed XML whatever the file is called") {
  const harness::temporary_folder folder;
  if (!fixtures::has_programs({"xmllint"})) {
    return;
  }
  for (const std::string name :
       {"a&b<c>\"d", "tab\tnew\nline", "\xff\xfe not UTF-8 \xc3", "\xe2\x82\xac",
        "half a pair \xed\xa0\x80", "too long \xe0\x80\x80", "too large \xf4\x90\x80\x80",
        "no characters \xef\xbf\xbe\xef\xbf\xbf", "]]>--><x>"}) {
    INFO(name);
    harness::image_named("one_era").unpack(folder / name);
    REQUIRE(call("era_stat", {"--svg", folder / "svg", folder / name}).status == 0);
    const auto parsed = harness::run({"xmllint", "--noout", "--nonet", folder / "svg"});
    INFO(parsed.err);
    CHECK(parsed.status == 0);
    CHECK(statistics({folder / name}).at("file").is_string());
  }
}

TEST_CASE("a long name has room in the picture, and is cut between characters") {
  const harness::temporary_folder folder;
  std::string euros;
  for (int i = 0; i < 60; ++i) {
    euros += "\xe2\x82\xac";
  }
  for (const std::string& name : {std::string(200, 'W'), euros}) {
    harness::image_named("one_era").unpack(folder / name);
    const auto got = call("era_stat", {"--svg", "-", folder / name});
    std::smatch head;
    REQUIRE(std::regex_search(got.out, head, std::regex("<text class=\"h\"[^>]*>([^<]*)<")));
    const std::string shown = head[1];
    INFO(shown);
    CHECK(shown.size() <= (name == euros ? 3 : 1) * 45);
    CHECK_THAT(shown, Contains("...") && Catch::EndsWith(name.substr(name.size() - 21)));
    CHECK(shown.find('?') == std::string::npos);
  }
}

TEST_CASE("the columns of the picture are as wide as their regions, and ticks have exact labels") {
  const harness::temporary_folder folder;
  fixtures::document three;
  three.block_size = 4096;  // 2 MiB
  three.nr_blocks = 3;
  three.current_era = 2;
  three.eras = {{0, 1}, {1, 2}, {2, 2}};
  fixtures::restore(three.xml(), folder / "metadata");
  const auto got = call("era_stat", {"--svg", "-", "--regions", "2", folder / "metadata"});
  const std::map<int, int> widths = widths_by_row(got.out);
  REQUIRE(widths.size() == 3);  // two eras, and the legend
  CHECK(widths.begin()->second == 512);
  CHECK(std::next(widths.begin())->second == 256);
  for (const std::string label : {"0", "1M", "2M", "3M", "4M", "5M", "6M"}) {
    CHECK_THAT(got.out, Contains(">" + label + "</text>"));
  }
}

TEST_CASE("a device without data blocks has a picture with one tick") {
  const harness::temporary_folder folder;
  fixtures::restore(fixtures::document{}.xml(), folder / "metadata");
  const auto got = call("era_stat", {"--svg", "-", folder / "metadata"});
  CHECK(got.status == 0);
  CHECK(count_of(got.out, "<line ") == 1);
  CHECK_THAT(got.out, Contains("no data blocks yet"));
}

TEST_CASE("the colours of the picture can be told apart in light and dark viewers") {
  const fixtures::bench bench;
  const std::string svg = call("era_stat", {"--svg", "-", bench.metadata}).out;
  const std::size_t dark_begins = svg.find("@media");
  const std::size_t dark_ends = svg.find("</style>");
  REQUIRE(dark_begins < dark_ends);
  for (const std::string& style :
       {svg.substr(0, dark_begins), svg.substr(dark_begins, dark_ends - dark_begins)}) {
    const std::map<std::string, double> light = luminances(style);
    const auto contrast = [&](const std::string& a, const std::string& b) {
      const auto [less, more] = std::minmax(light.at(a), light.at(b));
      return (more + 0.05) / (less + 0.05);
    };
    CHECK(contrast("text", ".b") >= 7);
    CHECK(contrast(".s", ".b") >= 4.5);
    CHECK(contrast(".c0", ".e") >= 1.2);
    CHECK(contrast(".c7", ".e") >= 10);
    const bool darker = light.at(".c1") < light.at(".c0");
    for (int i = 0; i < 7; ++i) {
      const std::string one = ".c" + std::to_string(i);
      const std::string next = ".c" + std::to_string(i + 1);
      INFO(one);
      CHECK((light.at(next) < light.at(one)) == darker);
      CHECK(contrast(one, next) >= 1.12);
    }
  }
}

TEST_CASE("where a table and a picture go to one file, neither is lost in silence") {
  const fixtures::bench bench;
  harness::run_options options;
  options.stdout_path = bench / "both";
  const auto got = call("era_stat", {"--svg", bench / "both", bench.metadata}, options);
  CHECK(got.status == 1);
  CHECK_THAT(got.err, Contains("both go to"));
  CHECK(call("era_stat", {"--svg", "/dev/null", "-o", "/dev/null", bench.metadata}).status == 0);
}

TEST_CASE("the regions of era_stat are joined where they are alike, and columns do not touch") {
  const harness::temporary_folder folder;
  constexpr std::uint32_t last = 4294967295;
  fixtures::document device;
  device.nr_blocks = 1000;
  device.current_era = last;
  for (std::uint32_t block = 100; block < 300; ++block) {
    device.eras[block] = last;
  }
  fixtures::restore(device.xml(), folder / "metadata");
  const auto got = call("era_stat", {"--regions", "10", folder / "metadata"});
  CHECK_THAT(got.out, Contains("hottest of 10 regions") && Contains("blocks 100-299") &&
                          Contains(" 100.0 % written ") && Contains(" era 4294967295.0\n") &&
                          Contains("blocks 300-999") && Contains("blocks 0-99 "));
  CHECK(count_of(got.out, "blocks 300-999") == 1);
}

TEST_CASE("a share of all but one block is not shown as all") {
  const harness::temporary_folder folder;
  fixtures::document device;
  device.nr_blocks = 10000;
  device.current_era = 1;
  device.eras[7] = 1;
  fixtures::restore(device.xml(), folder / "metadata");
  const auto got = call("era_stat", {folder / "metadata"});
  CHECK_THAT(got.out, Contains(" 0.1 % ") && Contains(" 99.9 % ") && !Contains("100.0 %  "));
}

TEST_CASE("era_stat draws to standard output alone where that is asked for") {
  const fixtures::bench bench;
  const auto got = call("era_stat", {"--svg", "-", bench.metadata});
  CHECK(got.status == 0);
  CHECK_THAT(got.out, Catch::StartsWith("<svg") && Catch::EndsWith("</svg>\n"));
}

TEST_CASE("era_stat refuses damaged metadata, and writes no picture of it") {
  const harness::temporary_folder folder;
  fixtures::unpack_damaged(harness::image_named("one_era"), {208}, folder / "metadata");
  const auto got = call("era_stat", {"--svg", folder / "svg", folder / "metadata"});
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK_THAT(got.err, Contains(folder / "metadata"));
  CHECK(!std::filesystem::exists(folder / "svg"));
}

TEST_CASE("calls of era_stat that cannot be meant are refused") {
  const fixtures::bench bench;
  const std::pair<words, std::string> calls[] = {
      {{"--svg", "-", "--format", "json", bench.metadata}, "exclude each other"},
      {{"--svg", "-", "-o", "x", bench.metadata}, "exclude each other"},
      {{"--eras", "0", bench.metadata}, "--eras must be more than 0"},
      {{"--regions", "0", bench.metadata}, "--regions must be more than 0"},
      {{"--regions", "257", bench.metadata}, "'257'"},
      {{"--svg", bench.metadata, bench.metadata}, "is the input"},
      {{"--svg", "/dev/full", bench.metadata}, "No space left on device"},
      {{"--svg", bench / "new", "-o", bench / "new", bench.metadata}, "both go to"},
      {{"--svg", bench.path() + "/./new", "-o", bench / "new", bench.metadata}, "both go to"},
  };
  for (const auto& [arguments, fact] : calls) {
    const auto got = call("era_stat", arguments);
    INFO(got.err);
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Contains(fact));
  }
}
