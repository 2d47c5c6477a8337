// The command line of era_cache_invalidate, the forms of its result, and what it says of files that
// are not those that it wants.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cache_images.h"
#include "catch.h"
#include "fixtures.h"

namespace {

using Catch::Contains;
using fixtures::call;
using nlohmann::json;

using words = std::vector<std::string>;

class bench {
 public:
  bench() {
    caches::image_named("v2_clean").unpack(folder / "cache");
    harness::image_named("one_era").unpack(folder / "era");
    harness::write_file(folder / "list", caches::whole_list(128).json());
  }

  harness::result with_list(const words& more = {}) const {
    words all = {"--cache-metadata", folder / "cache", "--list", folder / "list"};
    all.insert(all.end(), more.begin(), more.end());
    return call("era_cache_invalidate", all);
  }

  harness::temporary_folder folder;
};

void check_refused(const harness::result& result, const std::string& fact) {
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains(fact));
}

}  // namespace

TEST_CASE("era_cache_invalidate wants one source of each kind") {
  const bench bench;
  const auto cache = bench.folder / "cache";
  const auto era = bench.folder / "era";
  const auto list = bench.folder / "list";
  const auto refused = [](const words& arguments, const std::string& fact) {
    check_refused(call("era_cache_invalidate", arguments), fact);
  };
  refused({}, "No input file provided.");
  refused({"--cache-metadata", cache}, "No input file provided.");
  refused({"--cache-metadata", cache, era}, "Please specify --list or --written-since.");
  refused({"--list", list}, "Please specify --cache or --cache-metadata.");
  refused({"--cache-metadata", cache, "--cache", "c", "--list", list},
          "--cache and --cache-metadata exclude each other.");
  refused({"--cache-metadata", cache, "--list", list, "--written-since", "1"},
          "--list and --written-since exclude each other.");
  refused({"--cache-metadata", cache, "--list", list, era}, "one input too many");
  refused({"--cache-metadata", cache, "--list", list, "--metadata-snapshot"},
          "--metadata-snapshot goes with --written-since.");
  refused({"--cache-metadata", cache, "--list", list, "--execute"}, "--execute goes with --cache.");
  refused({"--cache", "c", "--list", list, "--allow-dirty"},
          "--allow-dirty goes with --cache-metadata.");
  refused({"--cache-metadata", cache, "--written-since", "1", era, "--data-block-size", "128"},
          "--data-block-size goes with --list.");
  refused({"--cache-metadata", cache, "--list", list, "--data-block-size", "12"},
          "give a positive multiple of 8 sectors");
  refused({"--cache-metadata", cache, "--list", list, "--data-block-size", "0"},
          "give a positive multiple of 8 sectors");
  refused({"--cache-metadata", cache, "--list", list, "--format", "xml"}, "--format");
}

TEST_CASE("a live cache that is not there is named") {
  const bench bench;
  check_refused(
      call("era_cache_invalidate", {"--cache", "no-such-cache", "--list", bench.folder / "list"}),
      "no-such-cache");
  check_refused(call("era_cache_invalidate",
                     {"--cache", "no-such-cache", "--execute", "--list", bench.folder / "list"}),
                "no-such-cache");
}

TEST_CASE("files that hold no cache metadata are named for what they are") {
  const bench bench;
  const auto file = bench.folder / "file";
  const auto refused = [&](const std::string& cache, const std::string& fact) {
    const auto result =
        call("era_cache_invalidate", {"--cache-metadata", cache, "--list", bench.folder / "list"});
    check_refused(result, fact);
    CHECK_THAT(result.err, Catch::StartsWith(cache + ": "));
  };
  refused(bench.folder / "era", "this looks like the metadata of an era device, not cache");
  harness::make_zeroed(file, 1 << 20);
  refused(file, "block 0 (superblock): bad checksum in superblock");
  harness::make_zeroed(file, 4095);
  refused(file, "Metadata device/file too small.  Is this binary metadata?");
  harness::write_file(file, fixtures::example().xml());
  refused(file, "line 1, column 1: ");
  refused(bench.folder / "nowhere", "No such file or directory");
  refused(bench.folder.path(), "Not a block device or regular file");
  check_refused(call("era_cache_invalidate", {"--cache-metadata", bench.folder / "cache",
                                              "--written-since", "1", bench.folder / "cache"}),
                "the metadata of a cache device");
}

TEST_CASE("a summary has the totals of the result, as text and as JSON") {
  const bench bench;
  const auto text = bench.with_list({"--summary"});
  CHECK(text.status == 0);
  CHECK(text.out ==
        "total_cblocks 107\ntotal_bytes 3506176\nranges 1\nnr_cache_blocks 512\nmappings 107\n"
        "dirty_mappings 0\ndirty_cblocks 0\n");
  const auto whole = json::parse(bench.with_list({"--format", "json"}).out);
  auto expected = whole;
  expected.erase("ranges");
  CHECK(json::parse(bench.with_list({"--format", "json", "--summary"}).out) == expected);
  CHECK(whole.at("ranges") == json::parse(R"([{"begin": 0, "end": 107}])"));
  CHECK(whole.at("total_cblocks") == 107);
  CHECK(whole.at("written_since") == 3);
}

TEST_CASE("a failure of era_cache_invalidate is told in JSON") {
  const bench bench;
  caches::image_named("v2_dirty").unpack(bench.folder / "cache");
  const auto result = bench.with_list({"--format", "json"});
  CHECK(result.status == 1);
  const auto told = json::parse(result.out);
  CHECK(told.at("tool") == "era_cache_invalidate");
  CHECK(told.at("error").get<std::string>() + "\n" == result.err);
}

TEST_CASE("a quiet era_cache_invalidate says nothing, and writes its file") {
  const bench bench;
  const auto result = bench.with_list({"-q"});
  CHECK(result.status == 0);
  CHECK(result.out + result.err == "");
  const auto to_file = bench.with_list({"-q", "-o", bench.folder / "result"});
  CHECK(to_file.status == 0);
  CHECK(to_file.out + to_file.err == "");
  CHECK(harness::read_file(bench.folder / "result") == "0-107\n");
  caches::image_named("v2_dirty").unpack(bench.folder / "cache");
  const auto failed = bench.with_list({"-q", "--format", "json"});
  CHECK(failed.status == 1);
  CHECK(failed.out + failed.err == "");
}

TEST_CASE("the result is not written over an input of era_cache_invalidate") {
  const bench bench;
  for (const std::string name : {"cache", "list"}) {
    const auto before = harness::read_file(bench.folder / name);
    check_refused(bench.with_list({"-o", bench.folder / name}), bench.folder / name);
    CHECK((harness::read_file(bench.folder / name) == before));
  }
}

TEST_CASE("no line of the result is longer than a message may be") {
  const bench bench;
  // Every second of 60000 cache blocks.
  std::string xml = R"(<superblock uuid="" block_size="64" nr_cache_blocks="60000" policy="" )"
                    R"(hint_width="4"><mappings>)";
  std::string expected;
  for (unsigned block = 0; block < 60000; block += 2) {
    const auto number = std::to_string(block);
    xml += "<mapping cache_block=\"" + number + "\" origin_block=\"" + number +
           "\" dirty=\"false\"/>\n";
    expected += (block > 0 ? " " : "") + number;
  }
  harness::write_file(bench.folder / "cache", xml + "</mappings></superblock>");
  harness::write_file(bench.folder / "list", caches::list{128, 30000, {{0, 30000}}}.json());
  const auto result = bench.with_list({"--allow-dirty"});
  REQUIRE(result.status == 0);
  std::string joined;
  std::size_t longest = 0;
  std::size_t lines = 0;
  for (std::size_t at = 0, end; (end = result.out.find('\n', at)) != std::string::npos;
       at = end + 1) {
    longest = std::max(longest, end - at);
    joined += (lines++ > 0 ? " " : "") + result.out.substr(at, end - at);
  }
  CHECK(lines > 1);
  CHECK(longest + std::string("invalidate_cblocks ").size() <= 32768);
  CHECK((joined == expected));
}
