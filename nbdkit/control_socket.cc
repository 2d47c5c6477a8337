#include "nbdkit/control_socket.h"

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/process.h"

namespace served {
namespace {

using clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(5);  // for a client's line, and for its reading

sockaddr_un address_of(const std::string& path) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    throw base::io_error(path + ": the name is too long for a socket, which takes " +
                         std::to_string(sizeof address.sun_path - 1) + " bytes");
  }
  std::memcpy(address.sun_path, path.data(), path.size());
  return address;
}

const sockaddr* as_address(const sockaddr_un& address) {
  return reinterpret_cast<const sockaddr*>(&address);
}

base::file_handle make_socket(const std::string& path) {
  base::file_handle made(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!made.is_open()) {
    throw base::io_error(base::system_message(path, errno));
  }
  return made;
}

// A socket that a killed server has left.
void remove_dead_socket(const std::string& path, const sockaddr_un& address) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    return;
  }
  if (!S_ISSOCK(found.st_mode)) {
    throw base::io_error(path + ": File exists, and is not a socket");
  }
  const base::file_handle probe = make_socket(path);
  if (::connect(probe.fd(), as_address(address), sizeof address) == 0 || errno != ECONNREFUSED) {
    throw base::io_error(path + ": another server listens there");
  }
  ::unlink(path.c_str());
}

// False if that takes longer than until `deadline`, or if `stop` becomes readable.
bool wait_for(int fd, short events, const std::optional<clock::time_point>& deadline, int stop) {
  pollfd both[2] = {{fd, events, 0}, {stop, POLLIN, 0}};
  for (;;) {
    int left = -1;
    if (deadline) {
      const auto time =
          std::chrono::duration_cast<std::chrono::milliseconds>(*deadline - clock::now());
      left = static_cast<int>(std::max<std::int64_t>(0, time.count()));
    }
    const int ready = ::poll(both, 2, left);
    if (ready < 0 && errno == EINTR) {
      continue;
    }
    return ready > 0 && both[1].revents == 0;
  }
}

// None if the client does not send one in time.
std::optional<std::string> read_line(int fd, int stop) {
  const auto deadline = clock::now() + patience;
  std::string text;
  char bytes[512];
  while (text.size() <= control_socket::longest_line && wait_for(fd, POLLIN, deadline, stop)) {
    const ssize_t got = ::recv(fd, bytes, sizeof bytes, 0);
    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
      continue;
    }
    if (got <= 0) {
      return std::nullopt;
    }
    text.append(bytes, static_cast<std::size_t>(got));
    const std::size_t end = text.find('\n');
    if (end != std::string::npos) {
      return text.substr(0, end);
    }
  }
  return std::nullopt;
}

void send_all(int fd, const std::string& text, int stop) {
  const auto deadline = clock::now() + patience;
  std::size_t sent = 0;
  while (sent < text.size() && wait_for(fd, POLLOUT, deadline, stop)) {
    const ssize_t now = ::send(fd, text.data() + sent, text.size() - sent, MSG_NOSIGNAL);
    if (now > 0) {
      sent += static_cast<std::size_t>(now);
    } else if (errno != EAGAIN && errno != EINTR) {
      return;
    }
  }
}

}  // namespace

control_socket::control_socket(std::string path) : path_(std::move(path)) {
  const sockaddr_un address = address_of(path_);
  remove_dead_socket(path_, address);
  listening_ = make_socket(path_);
  stopped_ = base::file_handle(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  // Of the socket before it has a name: nobody else can connect in between.
  if (!stopped_.is_open() || ::fchmod(listening_.fd(), S_IRUSR | S_IWUSR) != 0 ||
      ::bind(listening_.fd(), as_address(address), sizeof address) != 0) {
    throw base::io_error(base::system_message(path_, errno));
  }
  if (::lstat(path_.c_str(), &made_) != 0 || ::chmod(path_.c_str(), S_IRUSR | S_IWUSR) != 0 ||
      ::listen(listening_.fd(), 16) != 0) {
    const int error = errno;
    ::unlink(path_.c_str());
    throw base::io_error(base::system_message(path_, error));
  }
}

control_socket::~control_socket() {
  stop();
  struct stat found {};
  if (::lstat(path_.c_str(), &found) == 0 && base::is_same_file(found, made_)) {
    ::unlink(path_.c_str());
  }
}

void control_socket::start(answering answer) {
  answer_ = std::move(answer);
  const base::held_back_signals all(base::signals::all);  // they are the server's
  thread_ = std::thread([this] { serve(); });
}

void control_socket::stop() {
  if (thread_.joinable()) {
    ::eventfd_write(stopped_.fd(), 1);
    thread_.join();
  }
}

void control_socket::serve() {
  while (wait_for(listening_.fd(), POLLIN, {}, stopped_.fd())) {
    const base::file_handle client(
        ::accept4(listening_.fd(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (client.is_open()) {
      serve(client);
    } else if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS) {
      std::this_thread::sleep_for(std::chrono::milliseconds(100));
    }
  }
}

void control_socket::serve(const base::file_handle& client) const {
  const auto line = read_line(client.fd(), stopped_.fd());
  if (!line) {
    return;
  }
  std::string answered;
  try {
    answered = answer_(*line);
  } catch (const std::exception& e) {
    answered = std::string("error: ") + e.what();
  }
  send_all(client.fd(), answered + "\n", stopped_.fd());
}

}  // namespace served
