// The reason why dm-era is: dm-cache on top of it stays right when the origin is rolled back by its
// vendor, with the help of era_invalidate on the live device. And without that help it does not.
#include <cstdint>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "../catch.h"
#include "../harness.h"
#include "guest.h"

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
};

// The disks of rollback.sh, and what it reports.
class rollback {
 public:
  explicit rollback(const variant& variant) {
    script_ = "mode=" + variant.mode + "\nera_block=" + std::to_string(variant.era_block) +
              "\ncache_block=" + std::to_string(variant.cache_block) +
              "\nlength=" + std::to_string(length) + '\n';
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
    guest_.take(harness::tool("era_invalidate"));
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

  // A number that the script has printed.
  std::uint64_t fact(const std::string& name) const {
    for (const auto& line : kernel::lines_of(out_)) {
      if (line.starts_with(name + ' ')) {
        return std::stoull(line.substr(name.size()));
      }
    }
    FAIL("the script does not report " << name << ": " << out_);
    return 0;
  }

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
  std::cout << variant.mode << ", era blocks of " << variant.era_block << " and cache blocks of "
            << variant.cache_block << " sectors: " << rollback.fact("invalidated") << " of "
            << rollback.fact("cached") << " cached blocks invalidated, " << stale
            << " stale sectors; without the invalidation " << stale_without << '\n';
  CHECK(stale == 0);
  CHECK(stale_without > 0);

  // Else nothing was at stake, or everything was thrown out.
  CHECK(rollback.fact("invalidated") > 0);
  CHECK(rollback.fact("invalidated") < rollback.fact("cached"));

  // What the tool said of the live device is what it says of the device at rest.
  const auto at_rest =
      harness::run({harness::tool("era_invalidate"), "--written-since",
                    std::to_string(rollback.fact("since")), rollback.path("era_metadata")});
  CHECK(at_rest.err == "");
  CHECK(harness::difference(rollback.changed_blocks(), at_rest.out) == "");
}

}  // namespace

TEST_CASE("a writethrough cache is right after a rollback, and only by the invalidation") {
  if (kernel::available()) {
    check_rollback({"writethrough", 128, 128});
  }
}

TEST_CASE("a writeback cache is right after a rollback, and only by the invalidation") {
  if (kernel::available()) {
    check_rollback({"writeback", 128, 64});
  }
}

TEST_CASE("a cache whose blocks lie across those of era is right after a rollback") {
  if (kernel::available()) {
    check_rollback({"writeback", 24, 192});
  }
}
