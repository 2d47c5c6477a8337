// What era_cache_invalidate takes the written blocks from: era metadata, and what era_invalidate
// prints of it. The same result comes of all, and no list that could be a part of one is used.
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cache_images.h"
#include "catch.h"
#include "fixtures.h"

namespace {

using Catch::Contains;
using Catch::StartsWith;
using fixtures::call;

using words = std::vector<std::string>;

// Era metadata of the cache's origin, and the cache.
class stack {
 public:
  stack() {
    caches::image_named("v2_clean").unpack(folder / "cache");
    harness::image_named("one_era").unpack(folder / "era");
  }

  harness::result invalidate(const words& more, const harness::run_options& options = {}) const {
    words all = {"--cache-metadata", folder / "cache"};
    all.insert(all.end(), more.begin(), more.end());
    return call("era_cache_invalidate", all, options);
  }

  harness::result with_list(const std::string& text) const {
    harness::write_file(folder / "list", text);
    return invalidate({"--list", folder / "list", "--data-block-size", "128"});
  }

  harness::temporary_folder folder;
};

// What was written to the origin, by the truth of the image.
caches::list written(const harness::image& image) {
  caches::list list{image.block_size, image.live.nr_blocks, {}};
  for (const auto& run : image.live.runs) {
    list.ranges.push_back({run.first, run.first + run.count});
  }
  return list;
}

std::string expected() {
  const auto& cache = caches::image_named("v2_clean");
  return caches::stale(cache, written(harness::image_named("one_era")));
}

}  // namespace

TEST_CASE("written blocks come from era metadata or from a list, with one result") {
  const stack stack;
  const auto& era = stack.folder / "era";
  REQUIRE(expected() != "");
  const auto direct = stack.invalidate({"--written-since", "1", era});
  CHECK(direct.status == 0);
  CHECK(direct.out == expected());
  CHECK(direct.err == "");
  for (const std::string format : {"json", "xml"}) {
    INFO(format);
    const auto list = call("era_invalidate", {"--written-since", "1", "--format", format, era});
    REQUIRE(list.status == 0);
    CHECK(stack.with_list(list.out).out == expected());
    harness::run_options piped;
    piped.input = list.out;
    const auto result = stack.invalidate({"--list", "-", "--data-block-size", "128"}, piped);
    CHECK(result.status == 0);
    CHECK(result.out == expected());
    CHECK(result.err == "");
  }
}

TEST_CASE("everything is stale since era 0, and nothing since the next one") {
  const stack stack;
  const auto all = stack.invalidate({"--written-since", "0", stack.folder / "era"});
  CHECK(all.out == "0-107\n");
  const auto none = stack.invalidate({"--written-since", "2", stack.folder / "era"});
  CHECK(none.status == 0);
  CHECK(none.out + none.err == "");
  const auto refused = stack.invalidate({"--written-since", "3", stack.folder / "era"});
  CHECK(refused.status == 1);
  CHECK(refused.out == "");
}

TEST_CASE("a list that is cut off is refused, wherever") {
  const stack stack;
  const auto list = written(harness::image_named("one_era"));
  for (const auto& text : {list.json(), list.compact_json(), list.xml()}) {
    REQUIRE(stack.with_list(text).status == 0);
    const auto end = text.find_last_not_of('\n');
    for (std::size_t size = 0; size <= end; size += size + 20 > end ? 1 : 11) {
      const auto result = stack.with_list(text.substr(0, size));
      INFO(text.substr(0, size));
      CHECK(result.status == 1);
      CHECK(result.out == "");
      CHECK_THAT(result.err, StartsWith(stack.folder / "list" + ": "));
    }
  }
}

TEST_CASE("a list that does not add up, or is none, is refused") {
  const stack stack;
  auto json = written(harness::image_named("one_era")).json();
  const auto with = [&](const std::string& what, const std::string& instead) {
    auto text = json;
    REQUIRE(text.find(what) != std::string::npos);
    text.replace(text.find(what), what.size(), instead);
    const auto result = stack.with_list(text);
    CHECK(result.status == 1);
    CHECK(result.out == "");
    return result.err;
  };
  CHECK_THAT(with("\"total_blocks\": 9", "\"total_blocks\": 10"),
             Contains("the ranges hold 9 blocks, but total_blocks is 10"));
  CHECK_THAT(with("\"block_size_bytes\": 65536", "\"block_size_bytes\": 32768"),
             Contains("its blocks have 64 sectors, not 128"));
  CHECK_THAT(with("\"nr_blocks\": 1024", "\"nr_blocks\": 1000"),
             Contains("beyond the last of 1000"));
  CHECK_THAT(with("\"tool\"", "\"error\": \"no\", \"tool\""), Contains("why there is none: no"));
  // As a failed call leaves it.
  harness::make_zeroed(stack.folder / "zeros", 1 << 20);
  const auto failed =
      call("era_invalidate", {"--written-since", "1", "--format", "json", stack.folder / "zeros"});
  REQUIRE(failed.status == 1);
  CHECK_THAT(stack.with_list(failed.out).err,
             Contains("is not a list, but says why there is none"));
  for (const std::string text : {"", "\n", "1 2 3\n", "[]", "{}", "<superblock/>", "<blocks>"}) {
    INFO(text);
    CHECK(stack.with_list(text).status == 1);
  }
}

TEST_CASE("a list in XML needs the size of its blocks") {
  const stack stack;
  harness::write_file(stack.folder / "list", "<blocks>\n</blocks>\n");
  const auto result = stack.invalidate({"--list", stack.folder / "list"});
  CHECK(result.status == 1);
  CHECK_THAT(result.err,
             Contains("does not say how large its blocks are") && Contains("--data-block-size"));
}

TEST_CASE("a list of a shorter origin is not of this cache") {
  const stack stack;
  const auto result = stack.with_list(caches::list{128, 400, {{0, 400}}}.json());
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains("Is this the cache of another device?"));
}

TEST_CASE("damaged era metadata makes no cache block stale") {
  const stack stack;
  const auto& era = stack.folder / "era";
  auto bytes = harness::read_file(era);
  bytes[184] ^= 1;
  harness::write_file(era, bytes);
  const auto result = stack.invalidate({"--written-since", "1", era});
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, Contains("bad checksum in superblock"));
}

TEST_CASE("a metadata snapshot of the era device can be asked") {
  const stack stack;
  const auto& image = harness::image_named("snap_held");
  image.unpack(stack.folder / "era");
  const auto size = image.live.nr_blocks * image.block_size;
  const auto list = call("era_invalidate", {"--metadata-snapshot", "--written-since", "1",
                                            "--format", "json", stack.folder / "era"});
  REQUIRE(list.status == 0);
  const std::string cache =
      "<superblock uuid=\"\" block_size=\"64\" nr_cache_blocks=\"4\" policy=\"\" hint_width=\"4\">"
      "<mappings><mapping cache_block=\"2\" origin_block=\"" +
      std::to_string(size / 64 - 1) +
      "\" dirty=\"false\"/><mapping cache_block=\"1\" origin_block=\"0\" dirty=\"false\"/>"
      "</mappings></superblock>";
  harness::write_file(stack.folder / "cache", cache);
  harness::write_file(stack.folder / "list", list.out);
  const auto by_list =
      stack.invalidate({"--allow-dirty", "--list", stack.folder / "list", "--format", "json"});
  const auto direct = stack.invalidate({"--allow-dirty", "--metadata-snapshot", "--written-since",
                                        "1", stack.folder / "era", "--format", "json"});
  REQUIRE(direct.status == 0);
  const auto got = nlohmann::json::parse(direct.out);
  CHECK(got.at("ranges") == nlohmann::json::parse(by_list.out).at("ranges"));
  CHECK(got.at("written_since") == 1);
  CHECK(got.at("file") == stack.folder / "era");
}
