// A file or device that holds something else than era metadata: readers say what, and era_restore
// does not write over it unasked.
#include <string>
#include <system_error>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::bench;
using fixtures::call;

struct sample {
  std::string what;
  std::string bytes;
};

std::string with(std::size_t at, const std::string& bytes) {
  std::string all(1 << 20, '\0');
  return all.replace(at, bytes.size(), bytes);
}

std::string partition_table() {
  std::string entry(16, '\0');
  entry[4] = '\x83';
  entry[8] = 8;
  entry[12] = 64;
  return with(446, entry).replace(510, 2, "\x55\xaa");
}

std::vector<sample> samples() {
  return {
      {"a LUKS volume", with(0, std::string("LUKS\xba\xbe\0\1", 8))},
      {"swap space", with(4086, "SWAPSPACE2").replace(1024, 8, std::string("\1\0\0\0d\0\0\0", 8))},
      {"an MBR partition table", partition_table()},
      {"a tar archive", with(257, "ustar")},
      {"a gzip file", with(0, "\x1f\x8b\x08")},
      {"a zstd file", with(0, "\x28\xb5\x2f\xfd")},
      {"an xz file", with(0, std::string("\xfd\x37zXZ\0", 6))}};
}

harness::result restore(const bench& bench, const std::vector<std::string>& more = {}) {
  std::vector<std::string> arguments = {"-i", bench.xml, "-o", bench.device};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return call("era_restore", arguments);
}

void check_named_by_readers(const bench& bench, const std::string& path, const std::string& what) {
  for (const auto& tool : harness::readers()) {
    INFO(tool);
    const auto got = bench.read(tool, path);
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Contains("bad checksum in superblock: this looks like " + what +
                                 ", not era metadata"));
    CHECK_THAT(got.err + got.out, !Contains("restore"));
  }
  const auto json = call("era_check", {"--format", "json", path});
  CHECK(json.status == 1);
  CHECK_THAT(json.out, Contains("\"superblock-checksum\"") && Contains(what) &&
                           !Contains("restore the metadata"));
}

void check_kept_by_restore(const bench& bench, const std::string& what) {
  const auto before = harness::read_file(bench.device);
  const auto refused = restore(bench);
  CHECK(refused.status == 1);
  CHECK(refused.out == "");
  CHECK_THAT(refused.err,
             Contains(bench.device + ": this looks like " + what) && Contains("--force"));
  CHECK((harness::read_file(bench.device) == before));
  CHECK(restore(bench, {"--force"}).status == 0);
  CHECK(fixtures::dump(bench.device) == fixtures::example().xml());
}

}  // namespace

TEST_CASE("what is not era metadata is called by its name") {
  const bench bench;
  for (const auto& sample : samples()) {
    INFO(sample.what);
    harness::write_file(bench.device, sample.bytes);
    check_named_by_readers(bench, bench.device, sample.what);
  }
}

TEST_CASE("restore writes over what is not era metadata only by force") {
  const bench bench;
  for (const auto& sample : samples()) {
    INFO(sample.what);
    harness::write_file(bench.device, sample.bytes);
    check_kept_by_restore(bench, sample.what);
  }
  SECTION("a dump, which may be the input under another name") {
    harness::write_file(bench.device, fixtures::example().xml() + std::string(1 << 20, ' '));
    check_kept_by_restore(bench, "an XML document");
  }
}

TEST_CASE("a file system made by mkfs is neither read nor written over") {
  const bench bench;
  harness::make_zeroed(bench.device, 8 << 20);
  harness::result made;
  try {
    made = harness::run({"/usr/sbin/mkfs.ext4", "-q", bench.device});
  } catch (const std::system_error&) {
  }
  if (made.status != 0) {
    WARN("skipped: mkfs.ext4 does not run here");
    return;
  }
  check_named_by_readers(bench, bench.device, "an ext4 file system");
  check_kept_by_restore(bench, "an ext4 file system");
}

TEST_CASE("restore writes over era metadata in any state, zeros and what nobody knows") {
  const bench bench;
  SECTION("sound") {
    REQUIRE(restore(bench).status == 0);
  }
  SECTION("with a changed byte in the superblock") {
    REQUIRE(restore(bench).status == 0);
    auto bytes = harness::read_file(bench.device);
    bytes[200] = static_cast<char>(bytes[200] + 1);
    harness::write_file(bench.device, bytes);
    const auto got = bench.read("era_dump", bench.device);
    CHECK_THAT(got.err, Contains("bad checksum in superblock: the magic number of era metadata is "
                                 "there") &&
                            Contains("era_repair writes sound metadata"));
  }
  SECTION("that an interrupted restore has left") {
    fixtures::leave_interrupted_restore(bench.device);
  }
  SECTION("zeros") {}
  SECTION("unknown bytes") {
    harness::write_file(bench.device, std::string(1 << 20, 'x'));
  }
  const auto restored = restore(bench);
  CHECK(restored.err == "");
  CHECK(restored.status == 0);
  CHECK(fixtures::dump(bench.device) == fixtures::example().xml());
}

TEST_CASE("a file system that leaves block 0 zero is noticed all the same") {
  const bench bench;
  if (!fixtures::make_btrfs(bench.device)) {
    return;
  }
  const auto bytes = harness::read_file(bench.device);
  const auto got = restore(bench);
  CHECK_THAT(got.err, Contains("a btrfs file system"));
  CHECK((harness::read_file(bench.device) == bytes));
}
