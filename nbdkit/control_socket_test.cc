#include "nbdkit/control_socket.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstring>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using served::control_socket;

std::string echo(const std::string& line) {
  if (line == "bad") {
    throw base::data_error("that is bad\nDo something else.");
  }
  return "<" + line + ">";
}

class control : public testing::Test {
 protected:
  control() { socket_.start(echo); }

  base::file_handle connect() const {
    base::file_handle client(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path_.data(), path_.size());
    const int result =
        ::connect(client.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address);
    EXPECT_EQ(result, 0) << std::strerror(errno);
    return client;
  }

  static std::string rest_of(const base::file_handle& client) {
    std::string text;
    char bytes[256];
    for (;;) {
      const ssize_t got = ::recv(client.fd(), bytes, sizeof bytes, 0);
      if (got <= 0) {
        return text;
      }
      text.append(bytes, static_cast<std::size_t>(got));
    }
  }

  std::string ask(const std::string& text) const {
    const base::file_handle client = connect();
    EXPECT_EQ(::send(client.fd(), text.data(), text.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(text.size()));
    return rest_of(client);
  }

  base::test::temporary_folder folder_;
  std::string path_ = folder_ / "socket";
  control_socket socket_{path_};
};

TEST_F(control, answers_a_line) {
  EXPECT_EQ(ask("status\n"), "<status>\n");
  EXPECT_EQ(ask("\n"), "<>\n");
}

TEST_F(control, answers_what_is_thrown_as_an_error) {
  EXPECT_EQ(ask("bad\n"), "error: that is bad\nDo something else.\n");
  EXPECT_EQ(ask("good\n"), "<good>\n");
}

TEST_F(control, takes_one_line_a_connection) {
  EXPECT_EQ(ask("one\ntwo\n"), "<one>\n");
}

TEST_F(control, takes_a_line_in_pieces) {
  const base::file_handle client = connect();
  for (const char c : std::string("slow\n")) {
    ASSERT_EQ(::send(client.fd(), &c, 1, MSG_NOSIGNAL), 1);
    ::usleep(2000);
  }
  EXPECT_EQ(rest_of(client), "<slow>\n");
}

TEST_F(control, answers_nothing_to_what_is_not_a_line) {
  {
    const base::file_handle client = connect();
    ASSERT_EQ(::send(client.fd(), "half", 4, MSG_NOSIGNAL), 4);
    ASSERT_EQ(::shutdown(client.fd(), SHUT_WR), 0);
    EXPECT_EQ(rest_of(client), "");
  }
  {
    const base::file_handle client = connect();
    const std::string long_line(control_socket::longest_line + 1000, 'x');
    ::send(client.fd(), long_line.data(), long_line.size(), MSG_NOSIGNAL);
    EXPECT_EQ(rest_of(client), "");
  }
  EXPECT_EQ(ask("still there\n"), "<still there>\n");
}

TEST_F(control, gives_up_a_client_that_says_nothing) {
  const auto begun = std::chrono::steady_clock::now();
  const base::file_handle silent = connect();
  EXPECT_EQ(ask("next\n"), "<next>\n");
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(20));
}

TEST_F(control, stops_while_a_client_is_there) {
  const base::file_handle silent = connect();
  ::usleep(20000);
  const auto begun = std::chrono::steady_clock::now();
  socket_.stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, std::chrono::seconds(4));
}

TEST_F(control, is_for_its_owner_alone) {
  struct stat found {};
  ASSERT_EQ(::lstat(path_.c_str(), &found), 0);
  EXPECT_EQ(found.st_mode & 0777, 0600U);
}

TEST_F(control, is_refused_where_a_server_listens) {
  EXPECT_THROW(control_socket{path_}, base::io_error);
  EXPECT_EQ(ask("first\n"), "<first>\n");
}

TEST(control_socket, goes_away_with_its_owner) {
  const base::test::temporary_folder folder;
  const std::string path = folder / "socket";
  { const control_socket made(path); }
  EXPECT_NE(::access(path.c_str(), F_OK), 0);
}

// Somebody else's by now.
TEST(control_socket, leaves_what_took_its_place) {
  const base::test::temporary_folder folder;
  const std::string path = folder / "socket";
  {
    const control_socket made(path);
    ASSERT_EQ(::unlink(path.c_str()), 0);
    base::test::write_file(path, "other");
  }
  EXPECT_EQ(base::test::read_file(path), "other");
}

TEST(control_socket, takes_the_place_of_a_dead_one) {
  const base::test::temporary_folder folder;
  const std::string path = folder / "socket";
  {
    const base::file_handle dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.data(), path.size());
    ASSERT_EQ(::bind(dead.fd(), reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  }
  EXPECT_NO_THROW(control_socket{path});
}

TEST(control_socket, leaves_other_files_alone) {
  const base::test::temporary_folder folder;
  base::test::write_file(folder / "file", "precious");
  EXPECT_THROW(control_socket{folder / "file"}, base::io_error);
  EXPECT_EQ(base::test::read_file(folder / "file"), "precious");
  EXPECT_THROW(control_socket{folder / std::string(200, 'x')}, base::io_error);
  EXPECT_THROW(control_socket{folder / "no/such"}, base::io_error);
}

}  // namespace
