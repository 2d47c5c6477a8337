#include "bin/control_client.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "base/number.h"
#include "base/utf8.h"

namespace cli {
namespace {

constexpr std::string_view failure = "error: ";
constexpr std::string_view done = "ok";

// Bytes of the character at the beginning of `text` if that can be printed, or else 0. Control
// characters would steer the terminal.
std::size_t printable_length(std::string_view text) {
  const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
  const std::size_t length = base::utf8_length(text);
  const bool is_control =
      byte(0) < 0x20 || byte(0) == 0x7f || (length == 2 && byte(0) == 0xc2 && byte(1) < 0xa0);
  return is_control ? 0 : length;
}

// With a ? for every byte that can't be printed.
std::string printable(std::string_view line) {
  std::string shown;
  while (!line.empty()) {
    const std::size_t length = printable_length(line);
    shown += length == 0 ? "?" : line.substr(0, length);
    line.remove_prefix(length == 0 ? 1 : length);
  }
  return shown;
}

// All lines, of which the last has no end.
std::string printable_lines(std::string_view lines) {
  std::string shown;
  for (std::size_t end = lines.find('\n'); end != std::string_view::npos; end = lines.find('\n')) {
    shown += printable(lines.substr(0, end)) + '\n';
    lines.remove_prefix(end + 1);
  }
  return shown + printable(lines);
}

std::string counted_seconds(std::chrono::milliseconds time) {
  return base::counted(
      static_cast<std::uint64_t>(std::chrono::ceil<std::chrono::seconds>(time).count()), "second");
}

// What is to be known besides that there was no answer.
std::string effect(bool is_message) {
  return is_message ? "\nWhether the message took effect is unknown: ask with status." : "";
}

bool set_patience(int socket, int option, std::chrono::milliseconds patience) {
  timeval time{};
  time.tv_sec = std::chrono::floor<std::chrono::seconds>(patience).count();
  time.tv_usec = std::chrono::microseconds(patience % std::chrono::seconds(1)).count();
  return ::setsockopt(socket, SOL_SOCKET, option, &time, sizeof time) == 0;
}

bool is_socket(const std::string& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) != 0 || S_ISSOCK(info.st_mode);
}

}  // namespace

void control_client::refuse_connection(int error) const {
  switch (error) {
    case ECONNREFUSED:
      if (!is_socket(path_)) {
        throw base::io_error(path_ + ": not a socket");
      }
      throw base::io_error(path_ + ": no server listens on this socket\n" +
                           "It was left by one that has ended, or has not been started yet.");
    case EPROTOTYPE:
      throw base::io_error(path_ + ": not a stream socket, as that of a server is");
    case EAGAIN:
      throw base::io_error(path_ + ": the server has accepted no connection for " +
                           counted_seconds(patience_));
    default:
      throw base::io_error(base::system_message(path_, error));
  }
}

base::file_handle control_client::connect() const {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path_.size() >= sizeof address.sun_path) {
    throw base::io_error(path_ + ": longer than the path of a socket can be, " +
                         base::counted(sizeof address.sun_path - 1, "byte") +
                         "\nGive a shorter one: from the folder that it is in, or by a link.");
  }
  path_.copy(address.sun_path, path_.size());
  base::file_handle connection(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  // The time for sending is that for connecting too.
  if (!connection.is_open() || !set_patience(connection.fd(), SO_SNDTIMEO, patience_) ||
      !set_patience(connection.fd(), SO_RCVTIMEO, patience_)) {
    throw base::io_error(base::system_message(path_, errno));
  }
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (base::retry([&] { return ::connect(connection.fd(), generic, sizeof address); }) != 0) {
    refuse_connection(errno);
  }
  return connection;
}

// Up to where the server closes.
std::string control_client::read_answer(const base::file_handle& connection, kind what) const {
  std::string answer;
  std::array<char, 4096> piece{};
  for (;;) {
    const ssize_t got =
        base::retry([&] { return ::recv(connection.fd(), piece.data(), piece.size(), 0); });
    if (got == 0 || (got < 0 && errno == ECONNRESET)) {
      return answer;
    }
    if (got < 0 && errno == EAGAIN) {
      throw base::io_error(path_ + ": the server has sent nothing for " +
                           counted_seconds(patience_) + effect(what == kind::message));
    }
    if (got < 0) {
      throw base::io_error(base::system_message(path_, errno));
    }
    answer.append(piece.data(), static_cast<std::size_t>(got));
    if (answer.size() > longest_answer) {
      throw base::data_error(path_ + ": the server's answer is longer than 64 KiB" +
                             effect(what == kind::message));
    }
  }
}

std::string control_client::exchange(const std::string& line, kind what) const {
  const base::file_handle connection = connect();
  // A server may answer and close before it has read all: then it is the answer that counts.
  const std::string sent = line + '\n';
  const ssize_t count =
      base::retry([&] { return ::send(connection.fd(), sent.data(), sent.size(), MSG_NOSIGNAL); });
  if (count < 0 && errno != EPIPE && errno != ECONNRESET) {
    throw base::io_error(base::system_message(path_, errno));
  }
  std::string answer = read_answer(connection, what);
  if (answer.empty() || answer.back() != '\n') {
    throw base::io_error(path_ + ": the server ended before it " +
                         (answer.empty() ? "answered" : "had answered in full") +
                         effect(what == kind::message));
  }
  answer.pop_back();
  if (answer.starts_with(failure)) {
    throw base::data_error(path_ + ": " +
                           printable_lines(std::string_view(answer).substr(failure.size())));
  }
  return answer;
}

std::string control_client::ask(const std::string& question) {
  const std::string answer = exchange(question, kind::question);
  if (answer.empty() || answer != printable(answer)) {
    throw base::data_error(path_ + ": the server's answer is not understood: " +
                           base::first_line(printable_lines(answer)));
  }
  return answer;
}

void control_client::send(const std::string& message) {
  const std::string answer = exchange("message " + message, kind::message);
  if (answer != done) {
    throw base::data_error(path_ + ": the server's answer is not understood: " +
                           base::first_line(printable_lines(answer)) + effect(true));
  }
}

}  // namespace cli
