// era_cache_invalidate on metadata that a kernel wrote, and on the XML that cache_dump prints of
// it: mappings, dirty blocks and the result are those of the recorded truth.
#include "cache_images.h"

#include <iterator>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "fixtures.h"
#include "metadata_bytes.h"

namespace {

using Catch::Contains;
using fixtures::call;
using nlohmann::json;

using words = std::vector<std::string>;

constexpr std::uint64_t mapping_root_at = 192;  // in the superblock

harness::result invalidate(const std::string& cache, const std::string& list,
                           const words& more = {}) {
  words all = {"--cache-metadata", cache, "--list", list};
  all.insert(all.end(), more.begin(), more.end());
  return call("era_cache_invalidate", all);
}

// The number of mappings that XML calls dirty.
std::size_t called_dirty(const std::string& xml) {
  std::size_t count = 0;
  const std::string word = "dirty=\"true\"";
  for (auto at = xml.find(word); at != std::string::npos; at = xml.find(word, at + 1)) {
    ++count;
  }
  return count;
}

// The array block that holds the first mappings.
std::uint64_t first_mappings(const harness::metadata_bytes& m) {
  return m.array_blocks(m.get64(0, mapping_root_at)).at(0);
}

}  // namespace

TEST_CASE("the mappings of a cache and its dirty blocks are those that the kernel wrote") {
  REQUIRE(caches::images().size() == 6);
  const harness::temporary_folder folder;
  const auto list = folder / "list";
  harness::write_file(list, caches::whole_list(128).json());
  for (const auto& image : caches::images()) {
    DYNAMIC_SECTION(image.name) {
      image.unpack(folder / "cache");
      const auto result = invalidate(folder / "cache", list, {"--allow-dirty", "--format", "json"});
      CHECK(result.status == 0);
      CHECK(result.err == "");
      const auto got = json::parse(result.out);
      CHECK(got.at("cache_block_size_sectors") == image.block_size);
      CHECK(got.at("nr_cache_blocks") == image.nr_cache_blocks);
      CHECK(got.at("mappings") == image.mappings.size());
      CHECK(got.at("total_cblocks") == image.mappings.size());
      CHECK(got.at("dirty_is_known") == image.clean_shutdown);
      const auto dirty = image.clean_shutdown ? image.nr_dirty() : image.mappings.size();
      CHECK(got.at("dirty_mappings") == dirty);
      CHECK(got.at("dirty_cblocks") == dirty);
    }
  }
}

TEST_CASE("stale cache blocks are those that a count of sectors says, from metadata and from XML",
          "[slow]") {
  const harness::temporary_folder folder;
  unsigned seed = 0;
  for (const auto& image : caches::images()) {
    image.unpack(folder / "cache");
    const auto xml = caches::cache_dump(folder / "cache");
    harness::write_file(folder / "xml", xml);
    for (const std::uint64_t block_size : {64U, 128U, 200U, 24U, 8U, 1024U}) {
      DYNAMIC_SECTION(image.name << ", data blocks of " << block_size) {
        const auto list = caches::random_list(block_size, ++seed);
        const auto expected = caches::stale(image, list);
        const auto size = std::to_string(block_size);
        harness::write_file(folder / "list.json", list.json());
        harness::write_file(folder / "compact.json", list.compact_json());
        harness::write_file(folder / "list.xml", list.xml());
        for (const auto& one : {folder / "list.json", folder / "compact.json"}) {
          const auto result = invalidate(folder / "cache", one, {"--allow-dirty"});
          CHECK(result.status == 0);
          CHECK(result.out == expected);
          CHECK(result.err == "");
        }
        const words options = {"--allow-dirty", "--data-block-size", size};
        CHECK(invalidate(folder / "cache", folder / "list.xml", options).out == expected);
        if (!xml.empty()) {
          CHECK(invalidate(folder / "xml", folder / "list.xml", options).out == expected);
          CHECK(invalidate(folder / "xml", folder / "list.json", {"--allow-dirty"}).out ==
                expected);
        }
      }
    }
  }
}

TEST_CASE("dirty blocks are an error that names how many and the first") {
  const harness::temporary_folder folder;
  const auto list = folder / "list";
  harness::write_file(list, caches::whole_list(64).json());
  const auto [name, says] = GENERATE(table<std::string, std::string>({
      {"v1_clean", ""},
      {"v2_clean", ""},
      {"v1_dirty", "43 are dirty, the first is 64"},
      {"v2_dirty", "43 are dirty, the first is 64"},
      {"v1_cut", "107 may be dirty, the first is 0"},
      {"v2_cut", "107 may be dirty, the first is 0"},
  }));
  INFO(name);
  caches::image_named(name).unpack(folder / "cache");
  const auto result = invalidate(folder / "cache", list, {"-o", folder / "result"});
  CHECK(result.out == "");
  if (says.empty()) {
    CHECK(result.status == 0);
    CHECK(result.err == "");
    CHECK(harness::read_file(folder / "result") == "0-107\n");
  } else {
    CHECK(result.status == 1);
    CHECK_THAT(result.err, Contains("of the 107 cache blocks to be invalidated " + says));
    CHECK(fixtures::names_in(folder.path()).count("result") == 0);
  }
}

TEST_CASE("dirty blocks that were not written are no error") {
  const harness::temporary_folder folder;
  const auto& image = caches::image_named("v2_dirty");
  image.unpack(folder / "cache");
  caches::list list{64, 2048, {}};
  std::string expected;
  for (const auto& one : image.mappings) {
    if (!one.dirty && one.origin_block == 12) {
      list.ranges.push_back({one.origin_block, one.origin_block + 1});
    }
  }
  REQUIRE(list.ranges.size() == 1);
  harness::write_file(folder / "list", list.json());
  const auto result = invalidate(folder / "cache", folder / "list");
  CHECK(result.status == 0);
  CHECK(result.out == caches::stale(image, list));
}

TEST_CASE("what cache_dump says of dirty blocks is not believed") {
  const harness::temporary_folder folder;
  harness::write_file(folder / "list", caches::whole_list(64).json());
  std::vector<words> rows = {{"image", "dirty", "cache_dump says", "taken as dirty"}};
  for (const auto& image : caches::images()) {
    image.unpack(folder / "cache");
    const auto xml = caches::cache_dump(folder / "cache");
    if (xml.empty()) {
      return;
    }
    harness::write_file(folder / "xml", xml);
    const auto result = invalidate(folder / "xml", folder / "list");
    INFO(image.name);
    CHECK(result.status == 1);
    CHECK(result.out == "");
    CHECK_THAT(result.err, Contains("107 may be dirty"));
    rows.push_back({image.name, image.clean_shutdown ? std::to_string(image.nr_dirty()) : "unknown",
                    std::to_string(called_dirty(xml)), "107 of 107"});
  }
  harness::print_table(rows);
}

TEST_CASE("damage to cache metadata is refused or changes nothing", "[slow]") {
  const harness::temporary_folder folder;
  const auto& image = caches::image_named(GENERATE("v1_clean", "v2_dirty", "v2_cut"));
  INFO(image.name);
  image.unpack(folder / "cache");
  const auto list = caches::random_list(128, 7);
  harness::write_file(folder / "list", list.json());
  const auto expected = caches::stale(image, list);
  REQUIRE(expected != "");
  const harness::metadata_bytes sound(harness::read_file(folder / "cache"));
  unsigned refused = 0;
  const std::size_t step = harness::at_length() ? 1 : 2;
  for (std::uint64_t block = 0; block < 1024; ++block) {
    const auto bytes = sound.bytes().substr(4096 * block, 4096);
    if (bytes.find_first_not_of('\0') == std::string::npos) {
      continue;
    }
    constexpr std::size_t offsets[] = {0, 4, 9, 20, 33, 200, 233, 1000, 2060, 4095};
    for (std::size_t i = block % step; i < std::size(offsets); i += step) {
      const std::size_t offset = offsets[i];
      auto damaged = sound;
      damaged.damage(block, offset, 0x41);
      harness::write_file(folder / "damaged", damaged.bytes());
      const auto result = invalidate(folder / "damaged", folder / "list", {"--allow-dirty"});
      INFO("block " << block << ", byte " << offset << ": " << result.err);
      if (result.status == 0) {
        CHECK(result.out == expected);
      } else {
        ++refused;
        CHECK(result.status == 1);
        CHECK(result.out == "");
        CHECK_THAT(result.err, Contains(": block " + std::to_string(block) + " (") ||
                                   Contains("bad checksum in superblock"));
      }
    }
  }
  CHECK(refused * step >= 30);  // superblock, root and array block of the mappings
}

TEST_CASE("mappings that cannot be are refused with block and reason") {
  const harness::temporary_folder folder;
  caches::image_named("v2_clean").unpack(folder / "cache");
  harness::write_file(folder / "list", caches::whole_list(64).json());
  harness::metadata_bytes m(harness::read_file(folder / "cache"));
  const auto block = first_mappings(m);
  const auto at = [](std::size_t i) { return harness::array::values + 8 * i; };
  const auto refused = [&](std::size_t i, std::uint64_t value) {
    auto changed = m;
    changed.set64(block, at(i), value);
    harness::write_file(folder / "cache", changed.bytes());
    const auto result = invalidate(folder / "cache", folder / "list");
    CHECK(result.status == 1);
    CHECK(result.out == "");
    const auto place = folder / "cache" + ": block " + std::to_string(block) + " (mapping array): ";
    CHECK_THAT(result.err, Catch::StartsWith(place));
    return result.err.substr(place.size());
  };
  CHECK_THAT(refused(200, m.get64(block, at(3))),
             Contains("cache block 200 holds origin block 15, which another cache block holds"));
  CHECK_THAT(refused(200, std::uint64_t{2048} << 16 | 1),
             Contains("cache block 200 holds origin block 2048, but the origin ends before block "
                      "2048"));
  CHECK_THAT(refused(200, std::uint64_t{7} << 16 | 9), Contains("unknown flags 9"));
  CHECK_THAT(refused(200, std::uint64_t{7} << 16), Contains("neither valid nor 0"));
}

TEST_CASE("XML of a cache that is cut off or contradicts itself is refused") {
  const harness::temporary_folder folder;
  harness::write_file(folder / "list", caches::whole_list(64).json());
  const std::string head =
      R"(<superblock uuid="" block_size="64" nr_cache_blocks="512" policy="smq" hint_width="4">)"
      "\n<mappings>\n";
  const auto one = [](const std::string& cache_block, const std::string& origin_block) {
    return "<mapping cache_block=\"" + cache_block + "\" origin_block=\"" + origin_block +
           "\" dirty=\"false\"/>\n";
  };
  const std::string tail = "</mappings>\n</superblock>\n";
  const auto refused = [&](const std::string& xml) {
    harness::write_file(folder / "xml", xml);
    const auto result = invalidate(folder / "xml", folder / "list", {"--allow-dirty"});
    CHECK(result.status == 1);
    CHECK(result.out == "");
    CHECK_THAT(result.err, Catch::StartsWith(folder / "xml" + ": line "));
    return result.err;
  };
  CHECK_THAT(refused(head + one("1", "5") + one("2", "5") + tail), Contains("line 4, column 1: "));
  CHECK_THAT(refused(head + one("1", "5") + one("1", "6") + tail), Contains("is mapped twice"));
  CHECK_THAT(refused(head + one("1", "2048") + tail), Contains("ends before block 2048"));
  CHECK_THAT(refused(head + one("512", "1") + tail), Contains("cache block 512"));
  const std::string whole = head + one("1", "5") + one("2", "6") + tail;
  for (std::size_t size = 5; size < whole.size() - 1; size += 13) {
    refused(whole.substr(0, size));
  }
}
