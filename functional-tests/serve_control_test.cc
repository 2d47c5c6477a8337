// The control socket of a served disk: what it answers, to whom, and what becomes of it.
#include <sys/socket.h>
#include <sys/stat.h>

#include <chrono>
#include <filesystem>
#include <thread>
#include <vector>

#include "catch.h"
#include "fixtures.h"
#include "served_disk.h"

using Catch::Contains;
using serving::exchange;
using serving::served_disk;
using serving::unix_connection;

namespace {

namespace fs = std::filesystem;
using std::chrono::steady_clock;

std::string table_line(const served_disk& disk) {
  return "0 " + std::to_string(served_disk::bytes / 512) + " era " + disk / "metadata" + " " +
         disk / "origin" + " 64\n";
}

const std::string prefix = "0 " + std::to_string(served_disk::bytes / 512) + " era 8 ";

// A server on the same socket, with files of its own.
harness::result second_server(const served_disk& disk) {
  harness::make_zeroed(disk / "origin2", 1 << 20);
  return serving::refused(disk.path(), {"metadata=metadata2", "origin=origin2", "block-size=4k",
                                        "metadata-size=1M", "control=control"});
}

}  // namespace

TEST_CASE("a control socket answers status and table as dmsetup does", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  CHECK(server.ask("status") == prefix + "9/256 1 -\n");
  CHECK(server.ask("table") == table_line(disk));
  CHECK(server.ask("message checkpoint") == "ok\n");
  CHECK(serving::status_of(server).era == 2);
  CHECK(server.ask("message take_metadata_snap") == "ok\n");
  const auto taken = serving::status_of(server);
  CHECK(taken.era == 3);
  CHECK_THAT(server.ask("status"),
             Catch::StartsWith(prefix) && Catch::EndsWith("/256 3 " + taken.snapshot + "\n"));
  CHECK(server.ask("message take_metadata_snap") == "error: metadata snapshot already exists\n");
  CHECK(server.ask("message drop_metadata_snap") == "ok\n");
  CHECK(server.ask("message drop_metadata_snap") == "error: no snap to drop\n");
  CHECK(server.ask("message CheckPoint") == "ok\n");
  CHECK(serving::status_of(server).era == 4);
  CHECK(serving::status_of(server).snapshot == "-");
  // The numbers are those of the metadata, once all is digested.
  std::this_thread::sleep_for(std::chrono::milliseconds(500));
  const auto last = serving::status_of(server);
  server.kill();
  CHECK_THAT(fixtures::call("era_check", {disk / "metadata"}).out,
             Contains(std::to_string(last.used) + " of 256 metadata blocks are in use"));
}

TEST_CASE("a control socket refuses what it does not know, and goes on", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  const std::vector<std::pair<std::string, std::string>> wrong = {
      {"message hello", "unsupported message 'hello'"},
      {"message", "expected status, table, or message and a message"},
      {"message ", ""},
      {"message checkpoint now", "incorrect number of message arguments"},
      {"message take_metadata_snap 1", "incorrect number of message arguments"},
      {"Status", "expected status, table, or message and a message: not 'Status'"},
      {"status ", "expected status"},
      {"", "expected status"},
      {std::string("status\0", 7), "expected status"},
      {"tables", "expected status"},
      {"checkpoint", "expected status"}};
  for (const auto& [line, reason] : wrong) {
    INFO(line);
    const std::string answer = server.ask(line);
    CHECK_THAT(answer, Catch::StartsWith("error: ") && Contains(reason) && Catch::EndsWith("\n"));
  }
  CHECK(server.ask("status") == prefix + "9/256 1 -\n");
  disk.stop();
}

TEST_CASE("a control socket takes one line of a client, and one that is not too long", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  const std::string status = server.ask("status");
  CHECK(exchange(disk / "control", "status\ntable\n") == status);
  CHECK(exchange(disk / "control", "status\nmessage checkpoint\n") == status);
  CHECK(server.ask("status") == status);
  CHECK(exchange(disk / "control", "message checkpoint") == "");  // cut off, for all that is known
  CHECK(server.ask("status") == status);
  CHECK(exchange(disk / "control", std::string(100'000, 'x') + "\n") == "");
  CHECK(exchange(disk / "control", std::string(10'000'000, 'x')) == "");
  CHECK(exchange(disk / "control", "") == "");
  CHECK(server.ask("status") == status);
  disk.stop();
}

TEST_CASE("a client of a control socket that says nothing keeps others waiting for seconds only",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  const unix_connection slow(disk / "control");
  REQUIRE(::send(slow.fd(), "sta", 3, MSG_NOSIGNAL) == 3);
  const unix_connection gone(disk / "control");
  ::shutdown(gone.fd(), SHUT_RDWR);
  const auto begin = steady_clock::now();
  CHECK(server.ask("status") == prefix + "9/256 1 -\n");
  CHECK(steady_clock::now() - begin < std::chrono::milliseconds(6500));
  // The disk is served meanwhile, and nobody who says nothing keeps the server from ending.
  const unix_connection another(disk / "control");
  disk.write_blocks({1});
  const auto end = steady_clock::now();
  disk.stop();
  CHECK(steady_clock::now() - end < std::chrono::seconds(3));
}

TEST_CASE("a control socket is its owner's, and goes with its server", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  disk.serve();
  struct stat found {};
  REQUIRE(::lstat((disk / "control").c_str(), &found) == 0);
  CHECK(S_ISSOCK(found.st_mode));
  CHECK((found.st_mode & 07777) == 0600);
  disk.stop();
  CHECK_FALSE(fs::exists(fs::symlink_status(disk / "control")));

  // One that was put in its place stays.
  disk.serve();
  fs::remove(disk / "control");
  harness::write_file(disk / "control", "mine");
  disk.stop();
  CHECK(harness::read_file(disk / "control") == "mine");
}

TEST_CASE("a control socket that a killed server has left is replaced, and nothing else is",
          "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  disk.serve().kill();
  CHECK(fs::is_socket(disk / "control"));
  auto& server = disk.serve();
  CHECK(serving::status_of(server).era == 2);

  SECTION("a live one is not") {
    const auto second = second_server(disk);
    CHECK(second.status == 1);
    CHECK_THAT(second.err, Contains(disk / "control" + ": another server listens there"));
    CHECK(serving::status_of(server).era == 2);
    disk.stop();
  }
  disk.server().stop();
  SECTION("a file is not") {
    harness::write_file(disk / "control", "mine");
    const auto second = second_server(disk);
    CHECK(second.status == 1);
    CHECK_THAT(second.err, Contains(disk / "control" + ": File exists"));
    CHECK(harness::read_file(disk / "control") == "mine");
  }
  SECTION("a link to nowhere is not") {
    fs::create_symlink("nowhere", disk / "control");
    CHECK(second_server(disk).status == 1);
    CHECK(fs::is_symlink(disk / "control"));
    CHECK_FALSE(fs::exists(disk / "nowhere"));
  }
  SECTION("a folder is not") {
    fs::create_directory(disk / "control");
    CHECK(second_server(disk).status == 1);
    CHECK(fs::is_directory(disk / "control"));
  }
}
