// What nbdkit's plugin refuses to serve, each with one error; and a disk that is served read only.
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "metadata_bytes.h"
#include "served_disk.h"

using Catch::Contains;
using serving::data_of;
using serving::nbd_client;
using serving::refused;
using serving::served_disk;
using serving::words;

namespace {

namespace fs = std::filesystem;

// It ends at once, with status 1 and these words in an error of its own, and nothing has changed.
void check_refused(const served_disk& disk, const words& parameters, const std::string& reason) {
  std::string given;
  for (const std::string& word : parameters) {
    given += word + " ";
  }
  INFO(given);
  const std::string metadata = harness::read_file(disk / "metadata");
  const auto got = refused(disk.path(), parameters);
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK_THAT(got.err, Contains(reason));
  const std::string error = ": error: ";
  CHECK(got.err.find(error) == got.err.rfind(error));
  CHECK((harness::read_file(disk / "metadata") == metadata));
}

const words both = {"metadata=metadata", "origin=origin"};

words both_and(const words& more) {
  words all = both;
  all.insert(all.end(), more.begin(), more.end());
  return all;
}

// Metadata and an origin that were in use; nobody serves them.
void use(served_disk& disk) {
  disk.serve();
  disk.write_blocks({1, 2, 50});
  disk.checkpoint();
  disk.write_blocks({3});
  disk.stop();
}

}  // namespace

TEST_CASE("parameters of nbdkit's plugin that are missing or wrong are refused", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  const served_disk disk;
  const std::string needed = "metadata=FILE and origin=FILE are needed";
  check_refused(disk, {}, needed);
  check_refused(disk, {"metadata=metadata"}, needed);
  check_refused(disk, {"origin=origin", "block-size=64k"}, needed);
  check_refused(disk, both, "metadata: is new metadata\nGive a block-size, such as block-size=64k");
  for (const std::string size :
       {"0", "1", "512", "4095", "6k", "-4k", "x", "", "4k5", "9999999999G"}) {
    check_refused(disk, both_and({"block-size=" + size}),
                  "block-size=" + size + " is not a size that is a positive multiple of 4096");
    check_refused(disk, both_and({"metadata-size=" + size}),
                  "metadata-size=" + size + " is not a size that is a positive multiple of 4096");
  }
  check_refused(disk, both_and({"block-size=4T"}), "block-size=4T is too large");
  check_refused(disk, both_and({"readonly=perhaps"}), "perhaps");
  check_refused(disk, both_and({"readonly=true", "metadata-size=1M"}), "readonly forbids that");
  check_refused(disk, both_and({"readonly=true"}), "holds no metadata yet");
  check_refused(disk, both_and({"blocksize=64k"}), "unknown parameter 'blocksize'");
  check_refused(disk, {"metadata=metadata", "origin=none", "block-size=4k"},
                disk / "none" + ": No such file or directory");
  check_refused(disk, both_and({"block-size=4k", "control=" + std::string(200, 'c')}),
                "the name is too long for a socket");
  check_refused(disk, both_and({"block-size=4k", "control=none/control"}),
                "No such file or directory");
}

TEST_CASE("metadata that is not there is made, if its size is given", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  const words missing = {"metadata=new", "origin=origin", "block-size=32k"};
  check_refused(disk, missing, disk / "new" + ": No such file or directory");
  check_refused(disk, missing, "Make it with metadata-size=");
  CHECK_FALSE(fs::exists(disk / "new"));
  words making = missing;
  making.push_back("metadata-size=256k");
  {
    serving::nbdkit_server server(disk.path(), making);
    CHECK(server.stop() == 0);
  }
  CHECK(fs::file_size(disk / "new") == 256 << 10);
  CHECK(fixtures::call("era_check", {disk / "new"}).status == 0);
  {
    serving::nbdkit_server again(disk.path(), making);
    CHECK(again.stop() == 0);
  }
  making.back() = "metadata-size=512k";
  check_refused(disk, making,
                "is there already, and has 262144 bytes, not 524288\nmetadata-size is for new");
  CHECK(fs::file_size(disk / "new") == 256 << 10);
}

TEST_CASE("the size that an error advises for new metadata is enough", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  const words missing = {"metadata=new", "origin=origin", "block-size=32k"};
  const std::string error = refused(disk.path(), missing).err;
  const std::size_t at = error.find("metadata-size=");
  REQUIRE(at != std::string::npos);
  words making = missing;
  making.push_back(error.substr(at, error.find(';', at) - at));
  INFO(making.back());
  serving::nbdkit_server server(disk.path(), making);
  nbd_client(server.socket()).write(0, "x");
  CHECK(server.stop() == 0);
}

TEST_CASE("a block size other than that of the metadata is refused, and the same is taken",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  use(disk);
  check_refused(disk, both_and({"block-size=64k"}),
                "has data blocks of 32768 bytes, not 65536\nThat can't be changed");
  disk.serve({"block-size=32k"});
  disk.stop();
}

TEST_CASE("what a server uses no other server gets", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  disk.write_blocks({1});
  harness::make_zeroed(disk / "other", 1 << 20);
  fs::create_hard_link(disk / "metadata", disk / "second name");
  const std::string status = server.ask("status");
  for (const std::string read_only : {"false", "true"}) {
    const std::string how = "readonly=" + read_only;
    CHECK(refused(disk.path(), both_and({how})).status == 1);
    CHECK_THAT(refused(disk.path(), {"metadata=metadata", "origin=other", how}).err,
               Contains(disk / "metadata"));
    CHECK_THAT(refused(disk.path(), {"metadata=second name", "origin=other", how}).err,
               Contains(disk / "second name"));
    CHECK_THAT(refused(disk.path(), {"metadata=other", "origin=origin", "block-size=4k", how}).err,
               Contains(disk / "origin"));
  }
  // Both from the same file.
  CHECK(refused(disk.path(), {"metadata=other", "origin=other", "block-size=4k"}).status == 1);
  CHECK(harness::read_file(disk / "other") == std::string(1 << 20, '\0'));
  CHECK(server.ask("status") == status);
  disk.write_blocks({2});
  disk.stop();
}

TEST_CASE("a disk of a length that no disk has is refused", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  for (const std::uint64_t bytes : {0, 1, 511, 513, 1'000'001}) {
    harness::make_zeroed(disk / "origin", bytes);
    check_refused(disk, both_and({"block-size=4k"}),
                  "has " + std::to_string(bytes) + " bytes, not a positive multiple of 512");
  }
  fs::remove(disk / "origin");
  fs::create_directory(disk / "origin");
  check_refused(disk, both_and({"block-size=4k"}), disk / "origin" + ": ");
}

TEST_CASE("what is not metadata, or damaged or too small, is refused and left as it is",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  SECTION("a file system") {
    if (!fixtures::has_programs({"/usr/sbin/mkfs.ext4"})) {
      return;
    }
    REQUIRE(harness::run({"/usr/sbin/mkfs.ext4", "-q", "-F", disk / "metadata"}).status == 0);
    check_refused(disk, both_and({"block-size=4k"}), "ext4");
    check_refused(disk, both_and({"block-size=4k", "readonly=true"}), "ext4");
  }
  SECTION("a file system that leaves block 0 zero") {
    if (!fixtures::make_btrfs(disk / "metadata")) {
      return;
    }
    check_refused(disk, both_and({"block-size=4k"}), "btrfs");
  }
  SECTION("text") {
    harness::write_file(disk / "metadata", std::string(1 << 20, 'x'));
    check_refused(disk, both_and({"block-size=4k"}), disk / "metadata" + ": ");
  }
  SECTION("metadata with a damaged superblock") {
    use(disk);
    harness::metadata_bytes metadata(harness::read_file(disk / "metadata"));
    metadata.damage(0, harness::superblock::current_era, 1);
    harness::write_file(disk / "metadata", metadata.bytes());
    check_refused(disk, both, disk / "metadata" + ": ");
    check_refused(disk, both_and({"readonly=true"}), disk / "metadata" + ": ");
  }
  SECTION("metadata with a damaged era array") {
    use(disk);
    harness::metadata_bytes metadata(harness::read_file(disk / "metadata"));
    metadata.damage(metadata.get64(0, harness::superblock::writeset_tree), 100, 1);
    harness::write_file(disk / "metadata", metadata.bytes());
    check_refused(disk, both, disk / "metadata" + ": ");
  }
  SECTION("metadata of no bytes") {
    harness::write_file(disk / "metadata", "");
    check_refused(disk, both_and({"block-size=4k"}), disk / "metadata" + ": ");
  }
  SECTION("metadata that is cut off") {
    use(disk);
    fs::resize_file(disk / "metadata", 20 << 10);
    check_refused(disk, both, disk / "metadata" + ": ");
  }
}

TEST_CASE("metadata that has no room for the disk is refused", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  for (const std::uint64_t blocks : {1, 5, 8}) {
    INFO(blocks);
    harness::make_zeroed(disk / "metadata", blocks * 4096);
    const auto got = refused(disk.path(), both_and({"block-size=32k"}));
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Contains(disk / "metadata" + ": "));
  }
}

TEST_CASE("a disk that is served read only is, and so is its metadata", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  use(disk);
  disk.serve().kill();  // an open era
  const std::string metadata = harness::read_file(disk / "metadata");
  const std::string contents = disk.contents();
  fs::permissions(disk / "metadata", fs::perms(0400));
  fs::permissions(disk / "origin", fs::perms(0400));
  auto& server = disk.serve({"readonly=true"});
  {
    nbd_client client(server.socket());
    CHECK(client.is_read_only());
    ::nbd_set_strict_mode(client.handle(), 0);
    CHECK_THROWS_AS(client.write(0, "x"), serving::nbd_failure);
    CHECK_THROWS_AS(client.trim(0, 512), serving::nbd_failure);
    CHECK((client.read(0, served_disk::bytes) == contents));
  }
  const auto since1 = data_of(disk, "since=1");
  const auto era2 = data_of(disk, "era=2");
  CHECK(data_of(disk, "since=4").empty());  // of the era after the last
  CHECK_THROWS_AS(nbd_client(server.socket(), "since=5"), serving::nbd_failure);
  for (const std::string message : {"checkpoint", "take_metadata_snap", "drop_metadata_snap"}) {
    CHECK(server.ask("message " + message) == "error: the metadata is served read only\n");
  }
  CHECK(serving::status_of(server).era == 3);
  CHECK_THAT(server.ask("table"), Contains(disk / "origin" + " 64\n"));
  CHECK(server.stop() == 0);
  CHECK((harness::read_file(disk / "metadata") == metadata));
  CHECK((disk.contents() == contents));
  CHECK(since1 == listed(disk, {"--written-since", "1"}));
  CHECK(era2 == listed(disk, {"--written-since", "2", "--written-before", "3"}));
  CHECK(era2.size() == 1);
}
