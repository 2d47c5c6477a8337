// With --format json, whoever reads standard output gets one object whatever happens, and learns
// there why there is no result.
#include <nlohmann/json.hpp>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using Catch::Contains;
using fixtures::bench;
using fixtures::call;

using words = std::vector<std::string>;

constexpr const char* tools_with_json[] = {"era_check", "era_invalidate", "era_stat"};

// A failure is told on both streams alike, in one object.
nlohmann::json check_told(const harness::result& result, const std::string& tool,
                          const std::string& file) {
  INFO(tool << " " << file << ": " << result.out << result.err);
  CHECK(result.status == 1);
  const auto object = nlohmann::json::parse(result.out, nullptr, false);
  REQUIRE(object.is_object());
  CHECK(object.at("tool") == tool);
  CHECK(object.at("version") == call(tool, {"-V"}).out.substr(0, 5));
  CHECK(object.at("file") == file);
  CHECK(object.at("error").get<std::string>() + "\n" == result.err);
  return object;
}

}  // namespace

TEST_CASE("with --format json an input that cannot be read is an object too") {
  const bench bench;
  const auto tiny = bench / "tiny";
  harness::make_zeroed(tiny, 512);
  for (const std::string tool : tools_with_json) {
    for (const auto& file : {bench / "nowhere", bench.path(), tiny, bench.xml,
                             words{"/dev/null"}[0], bench / "quoted \"\\ and \n"}) {
      check_told(bench.read(tool, file, {"--format", "json"}), tool, file);
      CHECK(bench.read(tool, file).out == "");
    }
  }
}

TEST_CASE("with --format json a wrong command line is an object too") {
  const bench bench;
  const auto& m = bench.metadata;
  for (const std::string tool : tools_with_json) {
    for (const auto& wrong : std::vector<words>{
             {"--format", "json", "--bogus", m},
             {"--bogus", "--format=json", m},
             {"--format=json", m, "one-too-many"},
             {"--format=json", "--format", "json", m},
         }) {
      check_told(call(tool, wrong), tool, m);
    }
    check_told(call(tool, {"--format", "json"}), tool, "");
    check_told(call(tool, {"--format", "json", "-"}), tool, "-");
  }
  check_told(call("era_invalidate", {"--format=json", m}), "era_invalidate", m);
  check_told(call("era_invalidate", {"--format=json", m, "--written-since", "x"}), "era_invalidate",
             m);
  // Which format is meant is not known here.
  CHECK(call("era_check", {"--format", "yaml", m}).out == "");
  CHECK(call("era_check", {"--bogus", m}).out == "");
}

TEST_CASE("with --format json damage is told in an object") {
  const bench bench;
  fixtures::unpack_damaged(harness::image_named("power_cut"), {harness::superblock::era_array},
                           bench.metadata);
  const auto report =
      check_told(call("era_check", {"--format=json", bench.metadata}), "era_check", bench.metadata);
  CHECK(report.at("problems").size() == 1);
  CHECK(report.at("errors") == 1);
  check_told(bench.read("era_invalidate", bench.metadata, {"--format=json"}), "era_invalidate",
             bench.metadata);
  // The list belongs in a file that does not come to be; the object tells why on standard output.
  check_told(bench.read("era_invalidate", bench.metadata, {"--format=json", "-o", bench / "list"}),
             "era_invalidate", bench.metadata);
  CHECK(fixtures::names_in(bench.path()).count("list") == 0);
}

TEST_CASE("with --format json and a superblock that is no good there is one object") {
  const bench bench;
  for (const std::string tool : tools_with_json) {
    check_told(bench.read(tool, bench.device, {"--format=json"}), tool, bench.device);
  }
}

TEST_CASE("with --format json a list that cannot be written is told in an object") {
  const bench bench;
  check_told(bench.read("era_invalidate", bench.metadata, {"--format=json", "-o", bench / "a/b"}),
             "era_invalidate", bench.metadata);
}

TEST_CASE("where all is well, no error is named in JSON") {
  const bench bench;
  for (const std::string tool : tools_with_json) {
    const auto result = bench.read(tool, bench.metadata, {"--format=json"});
    CHECK(result.status == 0);
    CHECK_FALSE(nlohmann::json::parse(result.out).contains("error"));
  }
}

TEST_CASE("option -q silences JSON of a failure as well") {
  const bench bench;
  for (const auto& file : {bench / "nowhere", bench.device, bench.xml}) {
    const auto result = call("era_check", {"--format=json", "-q", file});
    CHECK(result.status == 1);
    CHECK(result.out + result.err == "");
  }
}
