// The lists that clients of a served disk look at: whose metadata snapshot it is, what becomes of
// it, and what stays as it is.
#include <chrono>
#include <csignal>
#include <memory>
#include <thread>

#include "catch.h"
#include "fixtures.h"
#include "served_disk.h"

using Catch::Contains;
using serving::data_of;
using serving::listed;
using serving::nbd_client;
using serving::served_disk;
using serving::spans;

namespace {

constexpr std::uint64_t block = served_disk::block_bytes;

spans one_block(std::uint64_t number) {
  return {{number * block, (number + 1) * block}};
}

std::string snapshot(const served_disk& disk) {
  return harness::read_file(disk / "metadata").substr(216, 8);
}

std::string snapshot_now(served_disk& disk) {
  return serving::status_of(disk.server()).snapshot;
}

// The server hears of a client's leave a little later than the client.
bool is_dropped_soon(served_disk& disk) {
  for (int tries = 0; tries < 500; ++tries) {
    if (snapshot_now(disk) == "-") {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

// Why an export can't be had.
std::string refusal(const served_disk& disk, const std::string& export_name) {
  try {
    nbd_client client(disk / "nbd", export_name);
    return "";
  } catch (const serving::nbd_failure& failure) {
    return failure.what();
  }
}

}  // namespace

TEST_CASE("a client's list of a served disk stays as it is, and so does its metadata snapshot",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  disk.serve();
  disk.write_blocks({1});
  disk.checkpoint();
  disk.write_blocks({2});
  CHECK(snapshot_now(disk) == "-");
  auto first = std::make_unique<nbd_client>(disk / "nbd", "since=2");
  const std::string held = snapshot_now(disk);
  CHECK(held != "-");
  const std::uint32_t era = disk.era();
  CHECK(era == 3);
  // Nothing was written in between: another client shares it, whatever it asks for.
  auto second = std::make_unique<nbd_client>(disk / "nbd", "since=1");
  CHECK(snapshot_now(disk) == held);
  CHECK(disk.era() == era);
  CHECK(data_of(first->extents()) == one_block(2));
  CHECK(data_of(second->extents()) == spans{{block, 3 * block}});

  disk.write_blocks({9, 20});
  CHECK(data_of(first->extents()) == one_block(2));
  CHECK(data_of(second->extents()) == spans{{block, 3 * block}});
  auto third = std::make_unique<nbd_client>(disk / "nbd", "since=2");
  CHECK(data_of(third->extents()) ==
        spans{{2 * block, 3 * block}, {9 * block, 10 * block}, {20 * block, 21 * block}});
  CHECK(data_of(first->extents()) == one_block(2));
  CHECK(disk.era() == era + 1);

  first.reset();
  second.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(100));
  CHECK(snapshot_now(disk) != "-");
  CHECK(data_of(third->extents()).size() == 3);
  third.reset();
  CHECK(is_dropped_soon(disk));
  disk.stop();
  CHECK(snapshot(disk) == std::string(8, '\0'));
}

TEST_CASE("lists of a served disk are to be had beside a snapshot taken by message, which stays",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  disk.write_blocks({1});
  REQUIRE(server.ask("message take_metadata_snap") == "ok\n");
  const std::string taken = snapshot_now(disk);
  disk.write_blocks({2});
  {
    nbd_client client(server.socket(), "since=2");
    CHECK(data_of(client.extents()) == one_block(2));
    CHECK(snapshot_now(disk) == taken);
    disk.write_blocks({3});
    CHECK(data_of(client.extents()) == one_block(2));
    nbd_client later(server.socket(), "since=2");
    CHECK(data_of(later.extents()) == spans{{2 * block, 4 * block}});
  }
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(snapshot_now(disk) == taken);
  CHECK(server.ask("message drop_metadata_snap") == "ok\n");
  disk.stop();
}

TEST_CASE("a snapshot taken by message in the place of a client's is left to who took it",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  disk.write_blocks({1});
  auto client = std::make_unique<nbd_client>(server.socket(), "since=1");
  CHECK(server.ask("message take_metadata_snap") == "error: metadata snapshot already exists\n");
  CHECK(server.ask("message drop_metadata_snap") == "ok\n");
  CHECK(data_of(client->extents()) == one_block(1));
  REQUIRE(server.ask("message take_metadata_snap") == "ok\n");
  const std::string taken = snapshot_now(disk);
  client.reset();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(snapshot_now(disk) == taken);
  disk.stop();
  CHECK(snapshot(disk) != std::string(8, '\0'));
}

TEST_CASE("a server that is to end while a client looks at a list leaves no metadata snapshot",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  disk.write_blocks({1});
  auto client = std::make_unique<nbd_client>(server.socket(), "since=1");
  nbd_client of_disk(server.socket());
  CHECK(snapshot_now(disk) != "-");
  ::kill(server.pid(), SIGTERM);
  // nbdkit waits for its clients, and refuses what they ask.
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK_THROWS_AS(of_disk.write(0, "late"), serving::nbd_failure);
  ::nbd_shutdown(of_disk.handle(), 0);
  ::nbd_shutdown(client->handle(), 0);
  client.reset();
  disk.stop();
  CHECK(snapshot(disk) == std::string(8, '\0'));
  CHECK(listed(disk, {"--written-since", "1"}) == one_block(1));
  CHECK(fixtures::call("era_check", {disk / "metadata"}).status == 0);
}

TEST_CASE("a list of a served disk has its data, and takes no writes", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  disk.serve();
  disk.write_blocks({1, 2, 90});
  {
    nbd_client client(disk / "nbd", "since=1");
    CHECK(client.is_read_only());
    CHECK(client.size() == served_disk::bytes);
    CHECK((client.read(0, served_disk::bytes) == disk.contents()));
    // Without the client's own checks.
    ::nbd_set_strict_mode(client.handle(), 0);
    CHECK_THROWS_AS(client.write(0, "x"), serving::nbd_failure);
    CHECK_THROWS_AS(client.zero(0, 512), serving::nbd_failure);
    CHECK_THROWS_AS(client.trim(0, 512), serving::nbd_failure);
  }
  CHECK(disk.server().stop() == 0);
  CHECK(listed(disk, {"--written-since", "1"}) ==
        spans{{block, 3 * block}, {90 * block, 91 * block}});
}

TEST_CASE("exports of a served disk that there are not, or not yet, or too many, are refused",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  while (disk.era() < 17) {
    disk.write_blocks({disk.era()});
    disk.checkpoint();
  }
  for (const std::string name :
       {"disk", "since=", "since=x", "since=-1", "since=1 ", " since=1", "since=4294967296",
        "era=", "era=4294967295", "SINCE=1", "since=18", "era=18", "since=0x1"}) {
    INFO(name);
    CHECK(refusal(disk, name) != "");
    CHECK(snapshot_now(disk) == "-");
    CHECK(disk.era() == 17);
  }
  std::vector<std::unique_ptr<nbd_client>> clients;
  for (int era = 1; era <= 16; ++era) {
    clients.push_back(std::make_unique<nbd_client>(disk / "nbd", "since=" + std::to_string(era)));
  }
  CHECK(refusal(disk, "since=17") != "");
  CHECK_THAT(server.said(), Contains("since era 18 is asked for") &&
                                Contains("there is no export 'disk'") &&
                                Contains("16 different lists already"));
  clients.pop_back();
  std::this_thread::sleep_for(std::chrono::milliseconds(200));
  CHECK(refusal(disk, "since=17") == "");
  clients.clear();
  CHECK(is_dropped_soon(disk));
  CHECK(server.stop() == 0);
}
