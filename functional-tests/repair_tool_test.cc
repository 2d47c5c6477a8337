// era_repair as its user meets it: what it writes, what it reports, and what it refuses.
#include <nlohmann/json.hpp>

#include "catch.h"
#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using Catch::Contains;
using fixtures::call;
using harness::metadata_bytes;
using words = std::vector<std::string>;

// Damaged metadata of an image, and room for what is made of it.
class patient {
 public:
  explicit patient(const std::string& image) : bytes_(harness::image_named(image)) { keep(); }

  // Changes the bytes; what is on disk follows.
  template <typename Damage>
  void damage(Damage how) {
    how(bytes_);
    keep();
  }

  void lose_superblock() const {
    auto raw = bytes_.bytes();
    raw.replace(0, harness::metadata_block_size, harness::metadata_block_size, '\0');
    harness::write_file(input, raw);
  }

  harness::result repair(const words& options = {}) const {
    words all = options;
    all.insert(all.end(), {"-i", input, "-o", output});
    return call("era_repair", all);
  }

  bool output_is_clean() const {
    const auto checked = call("era_check", {output});
    UNSCOPED_INFO(checked.out << checked.err);
    return checked.status == 0;
  }

  const metadata_bytes& bytes() const { return bytes_; }

 private:
  void keep() {
    harness::write_file(input, bytes_.bytes());
    harness::make_zeroed(output, bytes_.bytes().size());
  }

  harness::temporary_folder folder_;
  metadata_bytes bytes_;

 public:
  const std::string input = folder_ / "damaged";
  const std::string output = folder_ / "repaired";
};

std::vector<std::uint32_t> eras_of(const std::string& path) {
  return harness::parse_dump(fixtures::dump(path, {"--logical"})).era_array;
}

}  // namespace

TEST_CASE("era_repair writes sound metadata as it is, and leaves the input alone", "[slow]") {
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    const patient healthy(image.name);
    const auto done = healthy.repair();
    INFO(done.out << done.err);
    REQUIRE(done.status == 0);
    CHECK(done.err == "");
    CHECK_THAT(done.out, Contains("assumed as written in the current era are 0 of "));
    CHECK(healthy.output_is_clean());
    CHECK(harness::difference(harness::read_file(healthy.input), healthy.bytes().bytes()).empty());
    CHECK(eras_of(healthy.output) == image.live.eras());
  }
}

TEST_CASE("era_repair makes a space map anew, and the contents are equal bit for bit", "[slow]") {
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    patient sick(image.name);
    const auto before = fixtures::dump(sick.input);
    sick.damage([](metadata_bytes& m) {
      const auto index = m.get64(0, harness::superblock::map_index);
      const auto bitmap = m.get64(index, 16);
      m.damage(bitmap, 100, 0xff);
      m.damage(index, 3000, 1);
      m.damage(m.get64(0, harness::superblock::map_counts), 4000, 1);
    });
    CHECK(call("era_check", {sick.input}).status == 1);
    const auto done = sick.repair();
    INFO(done.out << done.err);
    REQUIRE(done.status == 0);
    CHECK_THAT(done.out, Contains("(space map)"));
    CHECK(sick.output_is_clean());
    CHECK(harness::difference(fixtures::dump(sick.output), before).empty());
  }
}

TEST_CASE("era_repair says what it assumed, in text and in JSON") {
  patient sick("random/r007");
  std::uint64_t lost = 0;
  sick.damage([&](metadata_bytes& m) {
    const auto blocks = m.array_blocks(m.get64(0, harness::superblock::era_array));
    lost = m.get32(blocks.begin()->second, harness::array::nr_entries);
    m.damage(blocks.begin()->second, 2000, 1);
  });
  const auto text = sick.repair();
  CHECK(text.status == 0);
  CHECK_THAT(
      text.out,
      Contains("error block-checksum block ") && Contains("taken as written in the current era") &&
          Contains("assumed as written in the current era are " + std::to_string(lost) + " of "));
  const auto json = nlohmann::json::parse(sick.repair({"--format", "json"}).out);
  CHECK(json.at("tool") == "era_repair");
  CHECK(json.at("basis") == "superblock");
  CHECK(json.at("assumed") == lost);
  CHECK(json.at("salvaged") == json.at("nr_blocks").get<std::uint64_t>() - lost);
  for (const auto& problem : json.at("problems")) {
    const bool is_ours = problem.at("severity") == "error";
    CHECK((problem.at("code") == "block-checksum") == is_ours);
    CHECK(problem.at("remedy") == (is_ours ? "taken as written in the current era" : ""));
  }
}

TEST_CASE("era_repair uses a superblock that all else proves right") {
  for (const auto* image : {"power_cut", "snap_held", "undigested_remove"}) {
    INFO(image);
    patient sick(image);
    const auto before = fixtures::dump(sick.input);
    sick.damage([](metadata_bytes& m) { m.damage(0, 1000, 0x20); });
    const auto done = sick.repair();
    INFO(done.out << done.err);
    REQUIRE(done.status == 0);
    CHECK_THAT(done.out, Contains("prove it right"));
    CHECK(harness::difference(fixtures::dump(sick.output), before).empty());
  }
}

TEST_CASE("era_repair takes every block as written where the superblock is lost") {
  const auto& image = harness::image_named("snap_held");
  const patient lost("snap_held");
  lost.lose_superblock();
  const auto json = nlohmann::json::parse(lost.repair({"--format", "json"}).out);
  CHECK(json.at("basis") == "all written");
  CHECK(json.at("block_size_sectors") == image.block_size);
  CHECK(json.at("nr_blocks") == image.live.nr_blocks);
  CHECK(json.at("current_era") == image.live.current_era + 1'000'000);
  CHECK(json.at("assumed_permille") == 1000);
  CHECK(lost.output_is_clean());
  // Whatever era was noted, everything is listed.
  for (const auto* since : {"1", "6", "1000006"}) {
    const auto list = call("era_invalidate", {"--written-since", since, lost.output});
    CHECK_THAT(list.out, Contains("<range begin=\"0\" end = \"" +
                                  std::to_string(image.live.nr_blocks) + "\"/>"));
  }
}

TEST_CASE("era_repair asks for what cannot be found, and era_dump --repair points to it") {
  const patient lost("one_era");
  lost.lose_superblock();
  const auto refused = lost.repair();
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("no other block says what the data block size is") &&
                              Contains("--data-block-size"));
  CHECK_THAT(call("era_dump", {"--repair", lost.input}).err,
             Contains("bad checksum in superblock") && Contains("era_repair"));
  CHECK(lost.repair({"--data-block-size", "128"}).status == 0);
  CHECK(lost.output_is_clean());
}

TEST_CASE("what is given overrides, and every block counts as written") {
  const patient healthy("one_era");
  const auto json = nlohmann::json::parse(
      healthy.repair({"--format", "json", "--nr-blocks", "5000", "--current-era", "77"}).out);
  CHECK(json.at("basis") == "all written");
  CHECK(json.at("nr_blocks") == 5000);
  CHECK(json.at("current_era") == 77);
  CHECK(eras_of(healthy.output) == std::vector<std::uint32_t>(5000, 77));
}

TEST_CASE("era_repair refuses wrong numbers") {
  const patient healthy("twelve_eras");
  const auto refused = [&](const words& options, const std::string& why) {
    const auto got = healthy.repair(options);
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Contains(why));
  };
  refused({"--data-block-size", "12"}, "must be a multiple of 8 sectors, and 12 is not");
  refused({"--data-block-size", "0"}, "must be more than 0");
  refused({"--nr-blocks", "2147483648"}, "2147483648");
  refused({"--nr-blocks", "x"}, "'x'");
  refused({"--current-era", "4294967296"}, "4294967296");
  refused({"--current-era", "1"}, "must be later");
  CHECK(harness::difference(harness::read_file(healthy.output),
                            std::string(healthy.bytes().bytes().size(), '\0'))
            .empty());
}

TEST_CASE("era_repair never works in place") {
  const patient sick("one_era");
  const auto refused = call("era_repair", {"-i", sick.input, "-o", sick.input});
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("is the input"));
  CHECK(harness::difference(harness::read_file(sick.input), sick.bytes().bytes()).empty());
}

TEST_CASE("an output that is too small stays as it was") {
  const patient sick("random/r007");
  harness::make_zeroed(sick.output, 8192);
  const auto refused = sick.repair();
  CHECK(refused.status == 1);
  CHECK_THAT(refused.err, Contains("Output file too small"));
  CHECK(harness::read_file(sick.output) == std::string(8192, '\0'));
}

TEST_CASE("era_dump --repair dumps what era_repair writes") {
  patient sick("power_cut");
  sick.damage([](metadata_bytes& m) {
    const auto blocks = m.array_blocks(m.get64(0, harness::superblock::era_array));
    m.damage(blocks.rbegin()->second, 2000, 1);
  });
  REQUIRE(sick.repair().status == 0);
  CHECK(harness::difference(fixtures::dump(sick.output), fixtures::dump(sick.input, {"--repair"}))
            .empty());
}
