// What a server in user space records, a real kernel goes on with, and the reverse; and a guest's
// file system on a served disk is copied by what has changed.
#include <csignal>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "../catch.h"
#include "../dump_parser.h"
#include "../fixtures.h"
#include "../harness.h"
#include "../nbdkit_server.h"
#include "batch.h"
#include "guest.h"

namespace {

using serving::nbdkit_server;
using serving::words;

const std::vector<std::string> none;

struct shape {
  std::string name;
  std::uint32_t block_size;  // sectors
  std::uint64_t nr_blocks;
  int end;  // the signal
};

const words usual = {"metadata=metadata", "origin=origin", "control=control"};

words with(words more) {
  more.insert(more.begin(), usual.begin(), usual.end());
  return more;
}

bool can_serve() {
  if (!serving::can_serve() ||
      harness::run({"bash", "-c", "type -P nbdcopy qemu-io"}).status != 0) {
    kernel::skip("nbdkit, the plugin for it, nbdcopy or qemu-io is not here, see scripts/packages");
    return false;
  }
  return kernel::available();
}

std::uint32_t era_of(const nbdkit_server& server) {
  return serving::status_of(server).era;
}

// Ends the server by SIGTERM or SIGKILL.
void end(nbdkit_server& server, int signal) {
  if (signal == SIGKILL) {
    server.kill();
  } else {
    CHECK(server.stop() == 0);
  }
}

// Writes to random blocks over some eras; returns the eras that were current then, 0 for none.
std::vector<std::uint32_t> write_some(const nbdkit_server& disk, const shape& of, unsigned seed) {
  std::mt19937 random(seed);
  std::vector<std::uint32_t> eras(of.nr_blocks);
  for (int i = 0; i < 4; ++i) {
    const auto era = era_of(disk);
    words command = {"qemu-io", "-f", "raw", disk.uri()};
    for (std::uint64_t n = 0; n < of.nr_blocks / 5; ++n) {
      const auto block = random() % of.nr_blocks;
      eras[block] = era;
      const auto sector = block * of.block_size + random() % of.block_size;
      command.insert(command.end(), {"-c", "write " + std::to_string(sector * 512) + " 512"});
    }
    const auto written = harness::run(command);
    INFO(written.out << written.err);
    REQUIRE(written.status == 0);
    REQUIRE(written.out.find("failed") == std::string::npos);
    if (i < 3) {
      REQUIRE(disk.ask("message checkpoint") == "ok\n");
    }
  }
  return eras;
}

std::vector<std::uint32_t> eras_in(const std::string& metadata) {
  return harness::parse_dump(fixtures::dump(metadata)).fold();
}

bool is_clean(const std::string& metadata) {
  const auto checked = fixtures::call("era_check", {metadata});
  INFO(checked.out);
  CHECK(checked.status == 0);
  return checked.status == 0;
}

}  // namespace

TEST_CASE("a real kernel goes on with what a server has recorded, and the server with that",
          "[both]") {
  if (!can_serve()) {
    return;
  }
  kernel::batch batch;
  const std::vector<shape> shapes = {{"ended", 128, 700, SIGTERM},
                                     {"killed", 128, 700, SIGKILL},
                                     {"small_blocks", 8, 2000, SIGKILL}};
  for (const auto& one : shapes) {
    INFO(one.name);
    const harness::temporary_folder folder;
    harness::make_zeroed(folder / "origin", one.nr_blocks * one.block_size * 512);
    nbdkit_server disk(folder.path(), with({"metadata-size=1M",
                                            "block-size=" + std::to_string(one.block_size * 512)}));
    const auto eras = write_some(disk, one, 1);
    end(disk, one.end);
    const auto metadata = folder / "metadata";
    REQUIRE(is_clean(metadata));
    const auto dump = harness::parse_dump(fixtures::dump(metadata));
    const kernel::state left{dump.current_era, dump.fold()};
    REQUIRE(left.eras == eras);
    batch.add(kernel::life_after(one.name, one.block_size, one.nr_blocks), metadata,
              left.truth({}));
  }
  REQUIRE(batch.run() == none);
  for (const auto& one : shapes) {
    INFO(one.name);
    const auto before = eras_in(batch.metadata(one.name));
    const harness::temporary_folder folder;
    harness::make_zeroed(folder / "origin", one.nr_blocks * one.block_size * 512);
    harness::write_file(folder / "metadata", harness::read_file(batch.metadata(one.name)));
    nbdkit_server disk(folder.path(), usual);
    auto expected = before;
    const auto eras = write_some(disk, one, 2);
    for (std::size_t block = 0; block < eras.size(); ++block) {
      expected[block] = std::max(expected[block], eras[block]);
    }
    end(disk, one.end);
    CHECK(is_clean(folder / "metadata"));
    const bool same = eras_in(folder / "metadata") == expected;
    CHECK(same);
    std::cout << one.name << ": " << std::count(eras.begin(), eras.end(), 0U) << " of "
              << eras.size() << " blocks as the kernel left them, the others written since\n";
  }
}

TEST_CASE("a guest's ext4 on a served disk is copied by what has changed") {
  if (!can_serve()) {
    return;
  }
  const harness::temporary_folder folder;
  constexpr std::uint64_t bytes = 64 << 20;
  harness::make_zeroed(folder / "origin", bytes);
  harness::make_zeroed(folder / "offline", bytes);
  nbdkit_server served(folder.path(), with({"metadata-size=1M", "block-size=64k"}));
  kernel::guest guest;
  const auto disk = guest.add_disk(served.uri());
  guest.take(harness::run({"bash", "-c", "PATH=$PATH:/sbin:/usr/sbin type -P mke2fs"})
                 .out.substr(0, std::string("/usr/sbin/mke2fs").size()));
  const std::string functions =
      "length=0\n" + harness::read_file(KERNEL_FOLDER "/copy.sh") + "disk=" + disk + "\n";
  const auto run = [&](const std::string& script) {
    const auto ended = guest.run(functions + script);
    INFO(ended.out);
    REQUIRE(ended.err == "");
    REQUIRE(ended.status == 0);
    CHECK(kernel::complaints(ended.dmesg, {"EXT4-fs"}) == none);
  };
  run(R"sh(
/bin/mke2fs -q -t ext4 "$disk"
mkdir /tmp/mnt
mount -t ext4 "$disk" /tmp/mnt
for number in 1 2 3 4 5; do make_file /tmp/mnt first $number; done
umount /tmp/mnt
)sh");
  REQUIRE(served.ask("message checkpoint") == "ok\n");
  const auto era = era_of(served);
  REQUIRE(harness::run({"nbdcopy", served.uri(), folder / "copy"}).status == 0);
  REQUIRE(harness::run({"cp", folder / "copy", folder / "offline"}).status == 0);
  run(R"sh(
mkdir /tmp/mnt
mount -t ext4 "$disk" /tmp/mnt
rm /tmp/mnt/first-2-*
for number in 6 7 8; do make_file /tmp/mnt second $number; done
[ -z "$(wrong_files /tmp/mnt)" ]
umount /tmp/mnt
)sh");
  const auto since = served.uri("since=" + std::to_string(era));
  // To a server, since nbdcopy empties a file.
  const auto copied =
      harness::run({"nbdcopy", "--destination-is-zero", "--sparse=0", since, "--", "[", "nbdkit",
                    "--exit-with-parent", "file", folder / "copy", "]"});
  INFO(copied.err);
  CHECK(copied.status == 0);
  CHECK(served.stop() == 0);
  CHECK(is_clean(folder / "metadata"));
  const auto offline =
      fixtures::call("era_copy", {"--written-since", std::to_string(era), folder / "metadata",
                                  folder / "origin", folder / "offline"});
  std::cout << offline.out << offline.err;
  CHECK(offline.status == 0);
  const auto origin = harness::read_file(folder / "origin");
  const bool both_equal = harness::read_file(folder / "copy") == origin &&
                          harness::read_file(folder / "offline") == origin;
  CHECK(both_equal);
  const auto checked =
      harness::run({"bash", "-c", "PATH=$PATH:/sbin:/usr/sbin e2fsck -fn \"$0\"", folder / "copy"});
  INFO(checked.out);
  CHECK(checked.status == 0);
}
