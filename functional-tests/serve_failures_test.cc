// A served disk whose metadata runs out of blocks, or whose origin has no room: what clients are
// told, what goes on, and what is on the metadata device afterwards.
#include <sys/mount.h>

#include <cerrno>
#include <filesystem>

#include "catch.h"
#include "fixtures.h"
#include "metadata_bytes.h"
#include "served_disk.h"

using serving::nbd_client;
using serving::nbd_failure;
using serving::nbdkit_server;

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t nr_blocks = 1024;
constexpr std::uint64_t block_bytes = 4096;

// Of a copy: a server may use it.
bool is_clean(const std::string& metadata) {
  harness::write_file(metadata + ".copy", harness::read_file(metadata));
  const auto got = fixtures::call("era_check", {metadata + ".copy"});
  INFO(got.out << got.err);
  CHECK(got.status == 0);
  return got.out.find(": 0 errors, 0 non-fatal errors, 0 remarks\n") != std::string::npos;
}

// 0, or the errno that the client hears.
int write_error(nbd_client& client, std::uint64_t block, const std::string& bytes) {
  try {
    client.write(block * block_bytes, bytes);
    return 0;
  } catch (const nbd_failure& failure) {
    return failure.error();
  }
}

// What a target with so few metadata blocks does; how far it comes depends on the number.
struct small_world {
  explicit small_world(std::uint64_t metadata_blocks) {
    harness::make_zeroed(folder / "metadata", metadata_blocks * 4096);
    harness::make_zeroed(folder / "origin", nr_blocks * block_bytes);
  }
  harness::temporary_folder folder;
  const serving::words parameters = {"metadata=metadata", "origin=origin", "control=control",
                                     "block-size=4k"};
};

}  // namespace

TEST_CASE("a server whose metadata can't hold the first era does not come up", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  const small_world world(11);
  const auto got = serving::refused(world.folder.path(), world.parameters);
  CHECK(got.status == 1);
  INFO(got.err);
  CHECK(got.err.find(world.folder / "metadata" + ": ") != std::string::npos);
}

TEST_CASE("where metadata runs out, writes to new blocks fail and others go on", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  for (const std::uint64_t metadata_blocks : {12, 13, 14, 15, 16}) {
    INFO("metadata blocks: " << metadata_blocks);
    const small_world world(metadata_blocks);
    nbdkit_server server(world.folder.path(), world.parameters);
    nbd_client client(server.socket());
    const bool takes_writes = write_error(client, 1, "first") == 0;
    CHECK(takes_writes == (metadata_blocks >= 14));
    // Checkpoints and writes, until there is no room for one of them.
    std::string answer = "ok\n";
    int error = takes_writes ? 0 : EIO;
    std::uint64_t block = 2;
    std::uint64_t marked = 1;
    for (; answer == "ok\n" && error == 0 && block < 500; ++block) {
      error = write_error(client, block, "new");
      if (error == 0) {
        marked = block;
        answer = server.ask("message checkpoint");
      }
    }
    CHECK(block < 500);
    CHECK((error == 0 || error == EIO));
    CHECK(server.ask("status") ==
          "0 " + std::to_string(nr_blocks * block_bytes / 512) + " era Error\n");
    CHECK(write_error(client, 600, "lost") == EIO);
    CHECK(write_error(client, 600, "lost again") == EIO);
    CHECK(client.read(600 * block_bytes, 4) == std::string(4, '\0'));
    if (takes_writes && answer != "ok\n") {  // it has a mark of the last era that there is
      CHECK(write_error(client, marked, "over it") == 0);
      CHECK(client.read(marked * block_bytes, 7) == "over it");
    }
    CHECK(server.ask("message checkpoint").rfind("error: ", 0) == 0);
    CHECK(server.ask("message take_metadata_snap").rfind("error: ", 0) == 0);
    CHECK_THROWS_AS(nbd_client(server.socket(), "since=1"), nbd_failure);
    client.flush();
    CHECK(is_clean(world.folder / "metadata"));
    ::nbd_shutdown(client.handle(), 0);
    server.stop();
    CHECK(server.said() != "");
    CHECK(is_clean(world.folder / "metadata"));
    const auto list = fixtures::call("era_invalidate", {"--written-since", "1", "--format",
                                                        "blocks", world.folder / "metadata"});
    CHECK(list.status == 0);
    for (std::uint64_t written = 1; takes_writes && written <= marked; ++written) {
      CHECK(('\n' + list.out).find('\n' + std::to_string(written) + '\n') != std::string::npos);
    }
    CHECK(('\n' + list.out).find("\n600\n") == std::string::npos);
  }
}

TEST_CASE("a client hears that the origin's file system is full", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  const harness::temporary_folder folder;
  const std::string full = folder / "full";
  fs::create_directory(full);
  if (::mount("tmpfs", full.c_str(), "tmpfs", 0, "size=1m") != 0) {
    WARN("skipped: cannot mount a file system here");
    return;
  }
  {
    harness::make_zeroed(full + "/origin", 16 << 20);
    nbdkit_server server(folder.path(), {"metadata=metadata", "origin=full/origin",
                                         "control=control", "block-size=64k", "metadata-size=1M"});
    nbd_client client(server.socket());
    const std::string bytes(64 << 10, 'x');
    int error = 0;
    std::uint64_t done = 0;
    for (; done < 200 && error == 0; ++done) {
      error = write_error(client, done * 16, bytes);
    }
    CHECK(error == ENOSPC);
    CHECK(done == 17);
    CHECK(write_error(client, 0, bytes) == 0);  // there is room for what is there
    client.trim(64 << 10, 256 << 10);
    CHECK(write_error(client, 16 * 16, bytes) == 0);
    CHECK(serving::status_of(server).era == 1);
    ::nbd_shutdown(client.handle(), 0);
    CHECK(server.stop() == 0);
  }
  CHECK(is_clean(folder / "metadata"));
  ::umount2(full.c_str(), MNT_DETACH);
}
