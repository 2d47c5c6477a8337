#include "control_server.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <stdexcept>
#include <utility>

namespace harness {

namespace {

int listen_at(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  const int listener = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  // NOLINTNEXTLINE(cppcoreguidelines-pro-type-reinterpret-cast)
  const auto* const generic = reinterpret_cast<const sockaddr*>(&address);
  if (listener < 0 || ::bind(listener, generic, sizeof address) != 0 ||
      ::listen(listener, 8) != 0) {
    throw std::runtime_error(path + ": cannot listen");
  }
  return listener;
}

std::string read_line(int connection) {
  std::string line;
  for (char c = 0; ::read(connection, &c, 1) == 1 && c != '\n';) {
    line += c;
  }
  return line;
}

}  // namespace

control_server::control_server(const std::string& path, answer answers)
    : answers_(std::move(answers)), listener_(listen_at(path)), thread_([this] { serve(); }) {}

control_server::~control_server() {
  ::shutdown(listener_, SHUT_RDWR);  // ends accept()
  thread_.join();
  ::close(listener_);
}

std::vector<std::string> control_server::heard() const {
  const std::lock_guard<std::mutex> guard(lock_);
  return heard_;
}

void control_server::serve() {
  for (int connection = 0;
       (connection = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC)) >= 0;) {
    const std::string line = read_line(connection);
    {
      const std::lock_guard<std::mutex> guard(lock_);
      heard_.push_back(line);
    }
    const std::string text = answers_(line);
    ::send(connection, text.data(), text.size(), MSG_NOSIGNAL);
    ::close(connection);
  }
}

}  // namespace harness
