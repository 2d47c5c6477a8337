// The reason why dm-era is: dm-cache on top of it stays right when the origin is rolled back by its
// vendor, if era_cache_invalidate is used as its page says. And without that it does not.
#include <cstdint>
#include <iostream>
#include <string>
#include <vector>

#include "../catch.h"
#include "../harness.h"
#include "guest.h"
#include "live_device.h"

using Catch::Contains;
using Catch::StartsWith;

namespace {

constexpr std::uint64_t length = 32768 + 3;  // sectors; the last block is a part

// Every sector says where it is.
std::string known_data() {
  std::string bytes;
  for (std::uint64_t sector = 0; sector < length; ++sector) {
    auto text = "sector " + std::to_string(sector) + " of the origin\n";
    text.resize(512, '.');
    bytes += text;
  }
  return bytes;
}

std::uint64_t differing_sectors(const std::string& a, const std::string& b) {
  REQUIRE(a.size() == b.size());
  std::uint64_t count = 0;
  for (std::size_t sector = 0; sector < a.size(); sector += 512) {
    count += a.compare(sector, 512, b, sector, 512) == 0 ? 0 : 1;
  }
  return count;
}

struct variant {
  std::string mode;
  unsigned era_block;
  unsigned cache_block;
  std::string way;  // of throwing blocks out, in rollback.sh
};

// The disks of rollback.sh, and what it reports.
class rollback {
 public:
  explicit rollback(const variant& variant) {
    script_ = "mode=" + variant.mode + "\nera_block=" + std::to_string(variant.era_block) +
              "\ncache_block=" + std::to_string(variant.cache_block) +
              "\nlength=" + std::to_string(length) + "\nway=" + variant.way + '\n';
    for (const std::string metadata :
         {"era_metadata", "cache_metadata", "copy_of_era_metadata", "copy_of_cache_metadata"}) {
      add_disk(metadata, 1 << 20);
    }
    for (const std::string data : {"cache_data", "copy_of_cache_data"}) {
      add_disk(data, 4 << 20);
    }
    for (const std::string data :
         {"origin", "snapshot", "copy_of_origin", "result", "control_result"}) {
      add_disk(data, length * 512);
    }
    harness::write_file(folder_ / "origin", known_data());
    for (const std::string tool : {"era_invalidate", "era_cache_invalidate"}) {
      guest_.take(harness::tool(tool));
    }
    guest_.take("/usr/bin/xargs");
  }

  void run() {
    const auto ended = guest_.run(script_ + harness::read_file(KERNEL_FOLDER "/rollback.sh"));
    INFO(ended.out);
    REQUIRE(ended.err == "");
    REQUIRE(ended.status == 0);
    CHECK(kernel::complaints(ended.dmesg) == std::vector<std::string>());
    out_ = ended.out;
  }

  std::string disk(const std::string& name) const { return harness::read_file(folder_ / name); }
  std::string path(const std::string& name) const { return folder_ / name; }

  std::uint64_t fact(const std::string& name) const { return kernel::fact(out_, name); }

  std::string changed_blocks() const {
    const std::string head = "changed:\n";
    return out_.substr(out_.find(head) + head.size());
  }

 private:
  void add_disk(const std::string& name, std::uint64_t bytes) {
    harness::make_zeroed(folder_ / name, bytes);
    script_ += name + '=' + guest_.add_disk(folder_ / name) + '\n';
  }

  harness::temporary_folder folder_;
  kernel::guest guest_;
  std::string script_;
  std::string out_;
};

void check_rollback(const variant& variant) {
  rollback rollback(variant);
  rollback.run();
  const auto snapshot = rollback.disk("snapshot");
  CHECK(differing_sectors(snapshot, known_data()) > 0);
  CHECK(differing_sectors(rollback.disk("origin"), snapshot) == 0);

  const auto stale = differing_sectors(rollback.disk("result"), snapshot);
  const auto stale_without = differing_sectors(rollback.disk("control_result"), snapshot);
  const auto cached = rollback.fact("cached");
  const auto left = rollback.fact("left");
  std::cout << variant.mode << ", era blocks of " << variant.era_block << " and cache blocks of "
            << variant.cache_block << " sectors, " << variant.way << ": " << cached - left << " of "
            << cached << " cached blocks invalidated, " << stale
            << " stale sectors; without the invalidation " << stale_without << '\n';
  CHECK(stale == 0);
  CHECK(stale_without > 0);

  // Else nothing was at stake, or everything was thrown out.
  CHECK(left < cached);
  CHECK(left > 0);

  // What the tool said of the live device is what it says of the device at rest.
  const auto at_rest =
      harness::run({harness::tool("era_invalidate"), "--written-since",
                    std::to_string(rollback.fact("since")), rollback.path("era_metadata")});
  CHECK(at_rest.err == "");
  CHECK(harness::difference(rollback.changed_blocks(), at_rest.out) == "");
}

}  // namespace

TEST_CASE("a writeback cache is right after a rollback, and only by the invalidation", "[both]") {
  if (kernel::available()) {
    check_rollback({"writeback", 128, 64, "live"});
  }
}

TEST_CASE("a writethrough cache is right after a rollback, and only by the invalidation") {
  if (kernel::available()) {
    check_rollback({"writethrough", 128, 128, "at_rest"});
  }
}

TEST_CASE("a cache is right after a rollback by the copy of its metadata and a list in XML") {
  if (kernel::available()) {
    check_rollback({"writeback", 32, 128, "by_copy"});
  }
}

TEST_CASE("a cache is right after a rollback by a list in JSON") {
  if (kernel::available()) {
    check_rollback({"writethrough", 200, 64, "by_list"});
  }
}

TEST_CASE("a cache whose blocks lie across those of era is right after a rollback") {
  if (kernel::available()) {
    check_rollback({"writeback", 24, 192, "live"});
  }
}

TEST_CASE("era_cache_invalidate refuses a stack that is not ready, and leaves it as it is") {
  if (!kernel::available()) {
    return;
  }
  const harness::temporary_folder folder;
  kernel::guest guest;
  std::string disks;
  for (const std::string disk :
       {"era_metadata", "origin", "cache_metadata", "cache_data", "other_metadata"}) {
    harness::make_zeroed(folder / disk, 4 << 20);
    disks += disk + '=' + guest.add_disk(folder / disk) + '\n';
  }
  guest.take(harness::tool("era_cache_invalidate"));
  const auto ended = guest.run(disks + R"sh(
own_table() {
  cache_table "$cache_metadata" "$cache_data" /dev/mapper/era 8192 64 "$1" smq
}
# refused_as TITLE OPTION...: also looks whether anything has happened.
refused_as() {
  echo "== $1"
  shift
  local cached
  cached=$(used)
  if era_cache_invalidate "$@" --written-since 1 2>&1; then
    echo "not refused: $*"
    return 1
  fi
  [ "$(used)" = "$cached" ]
}
# Of a suspended cache as well, which would not answer.
used() {
  case $(dm info -c --noheadings -o suspended cache) in
    Active) cache_used cache ;;
    *) echo suspended ;;
  esac
}
era_create era "$era_metadata" "$origin" 8192 128
dm_create cache "$(own_table writeback)"
write_direct cache 0 64
write_direct cache 640 64
refused_as writeback --cache cache --live era --execute
dm_reload cache "$(own_table writethrough)"
refused_as writethrough --cache cache --live era --execute
refused_as "metadata in use" --cache-metadata "$cache_metadata" --live era
dm_reload cache "0 8192 cache $cache_metadata $cache_data /dev/mapper/era 64 1 writeback cleaner 0"
while [ "$(dm_status_word cache 14)" -ne 0 ]; do usleep 50000; done
dm_reload cache "$(own_table passthrough)"
refused_as "no cache" --cache nothing --live era --execute
refused_as "no era device" --cache cache --live nothing --execute
refused_as "another target" --cache era --live era --execute
era_create era2 "$other_metadata" "$origin" 8192 128
refused_as "another era device" --cache cache --live era2 --execute
era_remove era2
refused_as "the wrong way round" --cache cache --live cache --execute
era_suspend era
# Its cache's metadata is on another device, and asking the cache would not wait for the era device.
refused_as "era suspended" --cache cache --live era --execute
era_resume era
dm suspend cache
refused_as "cache suspended" --cache cache --live era --execute
dm resume cache
[ "$(era_held era)" = - ]
echo "== at last"
echo "cached $(cache_used cache)"
era_cache_invalidate --cache cache --live era --written-since 1 --execute
echo "left $(cache_used cache)"
dm_remove cache
era_remove era
)sh");
  INFO(ended.out);
  REQUIRE(ended.err == "");
  REQUIRE(ended.status == 0);
  CHECK(kernel::complaints(ended.dmesg) == std::vector<std::string>());
  const auto said = [&](const std::string& title) { return kernel::part(ended.out, title); };
  for (const std::string mode : {"writeback", "writethrough"}) {
    CHECK_THAT(said(mode), StartsWith("cache: is not in passthrough mode"));
  }
  CHECK_THAT(said("metadata in use"), Contains("Device or resource busy"));
  CHECK_THAT(said("no cache"), StartsWith("nothing: no such device of the device mapper\n"));
  CHECK_THAT(said("no era device"), StartsWith("nothing: no such device of the device mapper\n"));
  CHECK(said("another target") == "era: not a device of the target cache, but of: era\n");
  CHECK_THAT(said("another era device"), StartsWith("cache: era2 is not its origin"));
  CHECK(said("the wrong way round") == "cache: not a device of the target era, but of: cache\n");
  CHECK_THAT(said("era suspended"), StartsWith("era: is suspended"));
  CHECK_THAT(said("cache suspended"), StartsWith("cache: is suspended"));
  CHECK(said("at last") == "cached 2\n2 cache blocks invalidated\nleft 0\n");
}
