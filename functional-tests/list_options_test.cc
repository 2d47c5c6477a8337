// What a list is made of, besides its form: units, granularity, the end of the origin, windows,
// totals alone; and that what makes no sense is refused, without a list.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::call;

using words = std::vector<std::string>;

// A device of 1000 blocks of 64 KiB, at most half of the last of which exists.
class listed_device {
  harness::temporary_folder folder_;

 public:
  listed_device() {
    fixtures::document document;
    document.nr_blocks = 1000;
    document.current_era = 9;
    document.eras = {{1, 8}, {2, 8}, {3, 7}, {4, 8}, {10, 5}, {998, 8}, {999, 8}};
    fixtures::restore(document.xml(), metadata());
    harness::make_zeroed(origin(), 999 * 65536 + 32768);
  }

  std::string metadata() const { return folder_ / "metadata"; }
  std::string origin() const { return folder_ / "origin"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }

  harness::result list(words options) const {
    options.push_back(metadata());
    return call("era_invalidate", options);
  }

  std::string good(const words& options) const {
    const auto got = list(options);
    INFO(got.err);
    CHECK(got.status == 0);
    CHECK(got.err == "");
    return got.out;
  }

  void check_refused(const words& options, const std::string& reason) const {
    const auto got = list(options);
    INFO(reason << ": " << got.err);
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains(reason));
  }
};

const words since_8 = {"--written-since", "8", "--format", "ranges"};

words with(words all, const words& more) {
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

}  // namespace

TEST_CASE("a list counts blocks, sectors or bytes") {
  const listed_device device;
  CHECK(device.good(since_8) == "1 3\n4 5\n998 1000\n");
  CHECK(device.good(with(since_8, {"--unit", "blocks"})) == "1 3\n4 5\n998 1000\n");
  CHECK(device.good(with(since_8, {"--unit", "sectors"})) == "128 384\n512 640\n127744 128000\n");
  CHECK(device.good(with(since_8, {"--unit", "bytes"})) ==
        "65536 196608\n262144 327680\n65404928 65536000\n");
}

TEST_CASE("a list ends where the origin does") {
  const listed_device device;
  const std::string cut = "65536 196608\n262144 327680\n65404928 65503232\n";
  const words bytes = with(since_8, {"--unit", "bytes"});
  CHECK(device.good(with(bytes, {"--origin", device.origin()})) == cut);
  CHECK(device.good(with(bytes, {"--origin-size", "65503232"})) == cut);
  CHECK(device.good(with(bytes, {"--origin-size", "127936s"})) == cut);
  CHECK(device.good(with(bytes, {"--origin-size", "1T"})) ==
        "65536 196608\n262144 327680\n65404928 65536000\n");
  CHECK(device.good(with(since_8, {"--origin", device.origin(), "--unit", "sectors"})) ==
        "128 384\n512 640\n127744 127936\n");
}

TEST_CASE("a list may be of blocks of another size, which cover what was written") {
  const listed_device device;
  CHECK(device.good(with(since_8, {"--granularity", "128k"})) == "0 3\n499 500\n");
  CHECK(device.good(with(since_8, {"--granularity", "32k"})) == "2 6\n8 10\n1996 2000\n");
  CHECK(device.good(with(since_8, {"--granularity", "96k"})) == "0 4\n665 667\n");
  CHECK(device.good(with(since_8, {"--granularity", "32k", "--origin", device.origin()})) ==
        "2 6\n8 10\n1996 1999\n");
  const auto object = nlohmann::json::parse(
      device.good({"--written-since", "8", "--format", "json", "--granularity", "1M"}));
  CHECK(object.at("granularity_bytes") == 1048576);
  CHECK(object.at("total_blocks") == 2);
  CHECK(object.at("block_size_bytes") == 65536);
}

TEST_CASE("a window leaves out what was written later") {
  const listed_device device;
  const words window = {"--format", "ranges", "--written-since", "5", "--written-before"};
  CHECK(device.good(with(window, {"6"})) == "10 11\n");
  CHECK(device.good(with(window, {"8"})) == "3 4\n10 11\n");
  CHECK(device.good(with(window, {"4000000000"})) == "1 5\n10 11\n998 1000\n");
  const auto object = nlohmann::json::parse(
      device.good({"--format", "json", "--written-since", "5", "--written-before", "8"}));
  CHECK(object.at("written_before") == 8);
  CHECK(object.at("next_since") == 8);
}

TEST_CASE("a summary is the totals alone") {
  const listed_device device;
  CHECK(device.good({"--written-since", "8", "--summary"}) ==
        "blocks 5\nbytes 327680\nranges 3\nnext_since 10\n");
  CHECK(device.good({"--written-since", "8", "--summary", "--origin", device.origin()}) ==
        "blocks 5\nbytes 294912\nranges 3\nnext_since 10\n");
  const auto list =
      nlohmann::json::parse(device.good({"--written-since", "8", "--format", "json"}));
  auto expected = list;
  expected.erase("ranges");
  expected.erase("unit");
  const auto summary =
      nlohmann::json::parse(device.good({"--written-since", "8", "--format", "json", "--summary"}));
  CHECK(summary == expected);
}

TEST_CASE("sizes that can't be are refused") {
  const listed_device device;
  for (const std::string option : {"--granularity", "--origin-size"}) {
    for (const std::string wrong :
         {"0", "513", "1000", "3x", "k", "-1", "1.5k", "8388608T", "99999999999999999999"}) {
      device.check_refused(with(since_8, {option + "=" + wrong}),
                           wrong == "513" || wrong == "1000" || wrong == "0"
                               ? "is not a positive multiple of a sector, 512 bytes"
                               : "is not a size");
    }
  }
  device.check_refused(with(since_8, {"--origin-size", "65470464"}),
                       "the origin has 65470464 bytes, but");
  device.check_refused(with(since_8, {"--origin", device / "nowhere"}),
                       "nowhere: No such file or directory");
  harness::make_zeroed(device / "empty", 0);
  device.check_refused(with(since_8, {"--origin", device / "empty"}),
                       "the origin has 0 bytes, but");
}

TEST_CASE("more blocks than there is memory for are refused") {
  const harness::temporary_folder folder;
  fixtures::document document;
  document.block_size = 1 << 20;
  document.nr_blocks = 100'000;
  document.current_era = 1;
  document.eras = {{7, 1}};
  fixtures::restore(document.compact_xml(), folder / "metadata");
  const words list = {"--written-since", "1", "--format", "ranges", folder / "metadata"};
  const auto refused = call("era_invalidate", with({"--granularity", "512"}, list));
  CHECK(refused.status == 1);
  CHECK(refused.out == "");
  CHECK_THAT(refused.err, Contains("Blocks of 16384 bytes are large enough."));
  harness::run_options options;
  options.watch_memory = true;
  const auto many = call("era_invalidate", with({"--granularity", "128k"}, list), options);
  CHECK(many.out == "28672 32768\n");
  if (!harness::sanitized()) {  // 409.6 million bits
    CHECK(many.peak_memory < std::uint64_t{80} << 20);
  }
}

TEST_CASE("options that do not go together are refused") {
  const listed_device device;
  const words since = {"--written-since", "8"};
  for (const std::string format :
       {"xml", "rbd-diff", "ddrescue", "extentlist", "bmap", "blocks", "bitmap"}) {
    device.check_refused(with(since, {"--unit", "bytes", "--format", format}),
                         "option '--unit' does not go with --format " + format);
    device.check_refused(with(since, {"--compact", "--format", format}),
                         "option '--compact' does not go with --format " + format);
    device.check_refused(with(since, {"--summary", "--format", format}), "--summary is text");
  }
  device.check_refused(with(since, {"--unit", "miles", "--format", "ranges"}),
                       "'miles' is not blocks or sectors or bytes");
  device.check_refused(with(since, {"--format", "html"}), "'html' is not xml or json");
  device.check_refused(with(since, {"--origin", "x", "--origin-size", "1M"}), "exclude each other");
  device.check_refused(with(since, {"--summary", "--unit", "bytes"}), "--summary prints none");
  device.check_refused(with(since, {"--written-before", "8"}), "leaves nothing");
  device.check_refused(with(since, {"--written-before", "-1"}), "is not a decimal number");
  device.check_refused(with(since, {"--progress", "sometimes"}),
                       "'sometimes' is not auto or always or never");
}
