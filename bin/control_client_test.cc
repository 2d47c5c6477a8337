#include "bin/control_client.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <csignal>
#include <functional>
#include <thread>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::message_of;
using base::test::temporary_folder;
using std::chrono::milliseconds;

constexpr char unknown_effect[] = "\nWhether the message took effect is unknown: ask with status.";

// A socket in a folder of its own, on which one connection is served by a thread.
class one_server {
 public:
  using service = std::function<void(int connection)>;

  explicit one_server(service serves) : one_server(std::move(serves), 8) {}

  one_server(service serves, int backlog)
      : listener_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_un address{};
    address.sun_family = AF_UNIX;
    path().copy(address.sun_path, sizeof address.sun_path - 1);
    // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
    const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
    EXPECT_EQ(::bind(listener_.fd(), generic, sizeof address), 0);
    EXPECT_EQ(::listen(listener_.fd(), backlog), 0);
    if (serves) {
      thread_ = std::thread([this, serves = std::move(serves)] {
        const base::file_handle connection(
            ::accept4(listener_.fd(), nullptr, nullptr, SOCK_CLOEXEC));
        if (connection.is_open()) {
          serves(connection.fd());
        }
      });
    }
  }

  ~one_server() {
    ::shutdown(listener_.fd(), SHUT_RDWR);  // ends an accept()
    if (thread_.joinable()) {
      thread_.join();
    }
  }
  one_server(const one_server&) = delete;
  one_server& operator=(const one_server&) = delete;

  std::string path() const { return folder_ / "socket"; }

 private:
  temporary_folder folder_;
  base::file_handle listener_;
  std::thread thread_;
};

std::string read_line(int connection) {
  std::string line;
  for (char c = 0; ::read(connection, &c, 1) == 1 && c != '\n';) {
    line += c;
  }
  return line;
}

void say(int connection, const std::string& text) {
  ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
}

// Reads the line, and sends the pieces of an answer with a moment between them.
one_server::service answering(const std::vector<std::string>& pieces,
                              std::string* heard = nullptr) {
  return [pieces, heard](int connection) {
    const std::string line = read_line(connection);
    if (heard != nullptr) {
      *heard = line;
    }
    for (const std::string& piece : pieces) {
      say(connection, piece);
      std::this_thread::sleep_for(milliseconds(5));
    }
  };
}

void wait_until_closed(int connection) {
  pollfd end{connection, 0, 0};
  while (::poll(&end, 1, -1) < 0) {
  }
}

TEST(control_client, asks_in_one_line_and_returns_the_answer) {
  std::string heard;
  {
    const one_server server(answering({"0 131072 era 8 10/256 12 -\n"}, &heard));
    EXPECT_EQ(cli::control_client(server.path()).ask("status"), "0 131072 era 8 10/256 12 -");
  }
  EXPECT_EQ(heard, "status");
}

TEST(control_client, sends_a_message_in_one_line) {
  std::string heard;
  {
    const one_server server(answering({"ok\n"}, &heard));
    cli::control_client(server.path()).send("checkpoint");
  }
  EXPECT_EQ(heard, "message checkpoint");
}

TEST(control_client, takes_an_answer_in_pieces) {
  const one_server server(answering({"0 13", "1", "072 era", " 8\n"}));
  EXPECT_EQ(cli::control_client(server.path()).ask("status"), "0 131072 era 8");
}

TEST(control_client, tells_what_the_server_refuses) {
  const one_server server(answering({"err", "or: no room\nin the", " metadata\n"}));
  EXPECT_EQ(
      message_of<base::data_error>([&] { cli::control_client(server.path()).send("checkpoint"); }),
      server.path() + ": no room\nin the metadata");
}

TEST(control_client, takes_the_answer_of_a_server_that_does_not_listen) {
  const one_server server([](int connection) { say(connection, "error: too many\n"); });
  EXPECT_EQ(
      message_of<base::data_error>([&] { cli::control_client(server.path()).send("checkpoint"); }),
      server.path() + ": too many");
}

TEST(control_client, is_not_killed_by_a_server_that_has_gone) {
  const auto before = std::signal(SIGPIPE, SIG_DFL);
  for (int i = 0; i < 20; ++i) {
    const one_server server([](int connection) { ::shutdown(connection, SHUT_RDWR); });
    EXPECT_EQ(
        message_of<base::io_error>([&] { cli::control_client(server.path()).send("checkpoint"); }),
        server.path() + ": the server ended before it answered" + unknown_effect);
  }
  std::signal(SIGPIPE, before);
}

TEST(control_client, gives_up_a_server_that_is_silent) {
  for (const std::string begun : {"", "ok\n"}) {
    const one_server server([&begun](int connection) {
      read_line(connection);
      say(connection, begun);
      wait_until_closed(connection);
    });
    cli::control_client client(server.path(), milliseconds(40));
    EXPECT_EQ(message_of<base::io_error>([&] { client.send("checkpoint"); }),
              server.path() + ": the server has sent nothing for 1 second" + unknown_effect);
  }
}

TEST(control_client, has_patience_with_a_server_that_is_slow) {
  const one_server server(answering({"0", " ", "1", " ", "e", "r", "a", " ", "E", "\n"}));
  EXPECT_EQ(cli::control_client(server.path(), std::chrono::seconds(5)).ask("status"), "0 1 era E");
}

TEST(control_client, gives_up_a_server_that_accepts_no_connection) {
  const one_server server(nullptr, 0);
  std::thread first([&] {
    cli::control_client client(server.path(), milliseconds(400));
    EXPECT_THROW(client.ask("status"), base::io_error);
  });
  std::this_thread::sleep_for(milliseconds(100));
  cli::control_client client(server.path(), milliseconds(40));
  EXPECT_EQ(message_of<base::io_error>([&] { client.ask("status"); }),
            server.path() + ": the server has accepted no connection for 1 second");
  first.join();
}

TEST(control_client, bounds_the_answer) {
  const one_server server([](int connection) {
    read_line(connection);
    const std::string much(1 << 16, '\n');
    while (::send(connection, much.data(), much.size(), MSG_NOSIGNAL) > 0) {
    }
  });
  EXPECT_EQ(message_of<base::data_error>([&] { cli::control_client(server.path()).ask("status"); }),
            server.path() + ": the server's answer is longer than 64 KiB");
}

TEST(control_client, refuses_every_answer_that_is_cut_off) {
  const std::string whole = "error: no room\nat all\n";
  for (std::size_t length = 0; length < whole.size(); ++length) {
    const std::string part = whole.substr(0, length);
    const one_server server(answering({part}));
    const std::string said =
        message_of<base::error>([&] { cli::control_client(server.path()).send("checkpoint"); });
    if (!part.ends_with('\n')) {
      EXPECT_TRUE(said.ends_with(unknown_effect)) << said;
    }
  }
}

TEST(control_client, says_what_is_not_a_socket) {
  const temporary_folder folder;
  base::test::write_file(folder / "file", "");
  EXPECT_EQ(message_of<base::io_error>([&] { cli::control_client(folder / "file").ask("table"); }),
            folder / "file" + ": not a socket");
  EXPECT_EQ(message_of<base::io_error>([&] { cli::control_client(folder / "none").ask("table"); }),
            folder / "none" + ": No such file or directory");
  const std::string path = folder / std::string(200, 's');
  EXPECT_TRUE(message_of<base::io_error>([&] {
                cli::control_client(path).ask("table");
              }).starts_with(path + ": longer than the path of a socket can be, 107 bytes\n"));
}

}  // namespace
