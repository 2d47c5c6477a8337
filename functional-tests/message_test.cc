// era_message: what is refused before anything is sent, and a server's control socket, which may
// answer anything. What it does with real devices, the tests on a real kernel show.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <filesystem>
#include <optional>

#include "catch.h"
#include "control_server.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::StartsWith;
using fixtures::call;
using harness::control_server;
using harness::temporary_folder;

using words = std::vector<std::string>;

const std::string unknown_effect = "\nWhether the message took effect is unknown: ask with status.";

harness::result ask(const std::string& socket, const std::string& word) {
  return call("era_message", {"--control", socket, word});
}

void check_misused(const words& arguments, const std::string& fact) {
  const auto got = call("era_message", arguments);
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK(got.err == fact + "\nTry 'era_message --help'.\n");
}

// One request to a server that gives this answer.
harness::result answered(const std::string& word, const std::string& answer) {
  const temporary_folder folder;
  const control_server server(folder / "socket", [&](const std::string&) { return answer; });
  auto got = ask(folder / "socket", word);
  // Without the path, which is another every time.
  const auto path = folder / "socket: ";
  if (got.err.rfind(path, 0) == 0) {
    got.err.erase(0, path.size());
  }
  return got;
}

void check_refused(const harness::result& got, const std::string& said) {
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK(got.err == said + "\n");
}

// A socket that was bound, and on which nobody listens.
void leave_socket(const std::string& path, int type) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int left = ::socket(AF_UNIX, type | SOCK_CLOEXEC, 0);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  REQUIRE(::bind(left, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  ::close(left);
}

}  // namespace

TEST_CASE("era_message needs one device and one word") {
  const std::string words_there_are =
      "checkpoint, take_metadata_snap, drop_metadata_snap, status and table.";
  check_misused({}, "To which device? Please give --live NAME or --control SOCKET.");
  check_misused({"checkpoint"}, "To which device? Please give --live NAME or --control SOCKET.");
  check_misused({"--live", "era", "--control", "socket", "status"},
                "--live and --control exclude each other.");
  check_misused({"--live"}, "option '--live' needs an argument: NAME.");
  for (const std::string option : {"--live", "--control"}) {
    check_misused({option, "era"}, "What is to be sent? There are " + words_there_are);
    for (const std::string word : {"hello", "checkpoints", "check point", "invalidate", "-"}) {
      check_misused({option, "era", word},
                    "unsupported message '" + word + "'; there are " + words_there_are);
    }
    check_misused({option, "era", ""}, "an argument is empty.");
    check_misused({option, "era", "checkpoint", "now"},
                  "unexpected argument 'now'; messages take none.");
  }
}

TEST_CASE("era_message says that a live device does not exist") {
  const std::string nowhere = "era-tools-no-such-device";
  for (const std::string word : {"checkpoint", "status", "table"}) {
    const auto got = call("era_message", {"--live", nowhere, word});
    CHECK(got.status == 1);
    CHECK(got.out == "");
    // Where there is no device mapper, or one that may not be asked, that is said.
    CHECK_THAT(got.err, StartsWith(nowhere + ": no such device of the device mapper\n") ||
                            StartsWith(nowhere + ": the device mapper cannot be asked"));
  }
}

TEST_CASE("era_message sends one line to a control socket") {
  const temporary_folder folder;
  const std::string status = "0 131072 era 8 10/256 12 -";
  const std::string table =
      "0 131072 era /srv/m\xc3\xa9tadonn\xc3\xa9"
      "es /srv/data 128";
  const control_server server(folder / "socket", [&](const std::string& line) {
    return line == "status" ? status + "\n" : line == "table" ? table + "\n" : "ok\n";
  });
  for (const auto& [word, shown] :
       std::vector<std::pair<std::string, std::string>>{{"status", status + "\n"},
                                                        {"table", table + "\n"},
                                                        {"checkpoint", ""},
                                                        {"take_metadata_snap", ""},
                                                        {"DROP_Metadata_Snap", ""},
                                                        {"Status", status + "\n"}}) {
    const auto got = ask(folder / "socket", word);
    CHECK(got.status == 0);
    CHECK(got.out == shown);
    CHECK(got.err == "");
  }
  CHECK(server.heard() == words{"status", "table", "message checkpoint",
                                "message take_metadata_snap", "message drop_metadata_snap",
                                "status"});
}

TEST_CASE("what a server refuses is told as it says it, without what steers a terminal") {
  for (const std::string word : {"status", "table", "checkpoint"}) {
    check_refused(answered(word, "error: metadata snapshot already exists\n"),
                  "metadata snapshot already exists");
    check_refused(answered(word, "error: full\nMake it larger.\n\nok\n"),
                  "full\nMake it larger.\n\nok");
    check_refused(answered(word, "error: \x1b[2J\xc2\x9b\xff\t\x7f\n"), "?[2J?????");
  }
}

TEST_CASE("an answer that is not understood is refused") {
  const std::string what = "the server's answer is not understood: ";
  check_refused(answered("status", "0 8 era\n0 8 era\n"), what + "0 8 era");
  check_refused(answered("status", "\n"), what);
  check_refused(answered("table", "0 8 era \x1b[2J\n"), what + "0 8 era ?[2J");
  check_refused(answered("table", std::string("0 8\0 era\n", 9)), what + "0 8? era");
  check_refused(answered("status", "error:\n\n"), what + "error:");
  for (const std::string answer : {"OK", "ok ", "okay", "done", "ok\nok", "0 131072 era 8"}) {
    check_refused(answered("checkpoint", answer + "\n"),
                  what + answer.substr(0, answer.find('\n')) + unknown_effect);
  }
}

TEST_CASE("an answer that has no end is refused, and so is one that is too long") {
  check_refused(answered("status", ""), "the server ended before it answered");
  check_refused(answered("checkpoint", ""), "the server ended before it answered" + unknown_effect);
  check_refused(answered("checkpoint", "ok"),
                "the server ended before it had answered in full" + unknown_effect);
  check_refused(answered("table", "error: no"), "the server ended before it had answered in full");
  const std::size_t most = 64 << 10;
  const auto longest = std::string(most - 1, 'x') + "\n";
  CHECK(answered("status", longest).out == longest);
  check_refused(answered("status", "x" + longest), "the server's answer is longer than 64 KiB");
  check_refused(answered("checkpoint", std::string(10 << 20, '\n')),
                "the server's answer is longer than 64 KiB" + unknown_effect);
}

TEST_CASE("what is not the socket of a server is refused") {
  const temporary_folder folder;
  harness::write_file(folder / "file", "");
  for (const auto& path : {folder / "file", folder.path(), std::string("/dev/null")}) {
    check_refused(ask(path, "status"), path + ": not a socket");
  }
  check_refused(ask(folder / "nowhere", "checkpoint"),
                folder / "nowhere" + ": No such file or directory");
  leave_socket(folder / "left", SOCK_STREAM);
  check_refused(ask(folder / "left", "checkpoint"),
                folder / "left" +
                    ": no server listens on this socket\n"
                    "It was left by one that has ended, or has not been started yet.");
  {
    const control_server ended(folder / "ended", [](const std::string&) { return "ok\n"; });
  }
  CHECK_THAT(ask(folder / "ended", "status").err, Contains("no server listens on this socket"));
  leave_socket(folder / "datagrams", SOCK_DGRAM);
  CHECK(ask(folder / "datagrams", "status").status == 1);
}

TEST_CASE("the path of a socket may have 107 bytes") {
  const temporary_folder folder;
  const std::size_t longest = 107;
  const auto path = folder / std::string(longest - folder.path().size() - 1, 's');
  REQUIRE(path.size() == longest);
  const control_server server(path, [](const std::string&) { return "0 8 era\n"; });
  CHECK(ask(path, "status").out == "0 8 era\n");
  check_refused(ask(path + "s", "status"),
                path +
                    "s: longer than the path of a socket can be, 107 bytes\n"
                    "Give a shorter one: from the folder that it is in, or by a link.");
}

TEST_CASE("a socket that may not be written to is refused") {
  if (!fixtures::nobody_can_run_tools()) {
    return;
  }
  const temporary_folder folder;
  const control_server server(folder / "socket", [](const std::string&) { return "ok\n"; });
  std::filesystem::permissions(folder / "socket", std::filesystem::perms(0600));
  harness::run_options as_nobody;
  as_nobody.as_nobody = true;
  const auto got = call("era_message", {"--control", folder / "socket", "checkpoint"}, as_nobody);
  check_refused(got, folder / "socket" + ": Permission denied");
  CHECK(server.heard().empty());
}
