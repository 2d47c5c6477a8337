#include "nbdkit_server.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <sstream>
#include <stdexcept>
#include <system_error>
#include <thread>
#include <utility>

#include "catch.h"
#include "changed_device.h"

namespace serving {
namespace {

using clock = std::chrono::steady_clock;

constexpr auto patience = std::chrono::seconds(20);

const std::string& plugin() {
  static const std::string path = PLUGIN_FILE;
  return path;
}

words command(const std::string& socket, const words& parameters) {
  words all = {"nbdkit", "-f", "-P", socket + ".pid", "-U", socket, plugin()};
  all.insert(all.end(), parameters.begin(), parameters.end());
  return all;
}

// Of the child, up to exec: async-signal-safe calls only.
[[noreturn]] void become(char* const* argv, const char* folder, int output) {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // nothing is left of a test that is killed
  ::signal(SIGPIPE, SIG_DFL);
  const int none = ::open("/dev/null", O_RDONLY);
  if (::dup2(none, STDIN_FILENO) >= 0 && ::dup2(output, STDOUT_FILENO) >= 0 &&
      ::dup2(output, STDERR_FILENO) >= 0 && ::chdir(folder) == 0) {
    ::execvp(argv[0], argv);
  }
  ::_exit(127);
}

}  // namespace

unix_connection::unix_connection(const std::string& path)
    : fd_(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() < sizeof address.sun_path) {
    std::memcpy(address.sun_path, path.data(), path.size());
    is_open_ = ::connect(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  }
}

unix_connection::~unix_connection() {
  ::close(fd_);
}

bool can_serve() {
  if (plugin().empty()) {
    WARN("skipped: this build has no plugin that nbdkit can load");
    return false;
  }
  return fixtures::has_programs({"nbdkit"});
}

std::string exchange(const std::string& socket, const std::string& bytes, int seconds) {
  const unix_connection to(socket);
  if (!to.is_open()) {
    throw std::runtime_error("cannot connect to " + socket);
  }
  // The other end may refuse to read on.
  std::size_t sent = 0;
  while (sent < bytes.size()) {
    const ssize_t now = ::send(to.fd(), bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (now <= 0) {
      break;
    }
    sent += static_cast<std::size_t>(now);
  }
  ::shutdown(to.fd(), SHUT_WR);
  std::string answer;
  char buffer[4096];
  pollfd readable = {to.fd(), POLLIN, 0};
  for (;;) {
    if (::poll(&readable, 1, 1000 * seconds) <= 0) {
      throw std::runtime_error(socket + " does not answer");
    }
    const ssize_t got = ::recv(to.fd(), buffer, sizeof buffer, 0);
    if (got <= 0) {
      return answer;
    }
    answer.append(buffer, static_cast<std::size_t>(got));
  }
}

nbdkit_server::nbdkit_server(std::string folder, const words& parameters)
    : folder_(std::move(folder)) {
  std::filesystem::remove(socket());  // nbdkit replaces none
  std::filesystem::remove(socket() + ".pid");
  words all = command(socket(), parameters);
  std::vector<char*> argv;
  for (std::string& word : all) {
    argv.push_back(word.data());
  }
  argv.push_back(nullptr);
  const int output =
      ::open((*this / "said").c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  pid_ = ::fork();
  if (pid_ == 0) {
    become(argv.data(), folder_.c_str(), output);
  }
  ::close(output);
  if (pid_ < 0) {
    throw std::system_error(errno, std::generic_category(), "fork");
  }
  wait_until_it_listens();
}

nbdkit_server::~nbdkit_server() {
  kill();
}

// nbdkit writes its number when it takes clients.
void nbdkit_server::wait_until_it_listens() {
  const auto deadline = clock::now() + patience;
  while (!std::filesystem::exists(socket() + ".pid")) {
    if (has_ended() || clock::now() > deadline) {
      kill();
      throw std::runtime_error("nbdkit does not come up: " + said());
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

std::string nbdkit_server::uri(const std::string& export_name) const {
  return "nbd+unix:///" + export_name + "?socket=" + socket();
}

std::string nbdkit_server::ask(const std::string& line) const {
  return exchange(*this / "control", line + "\n");
}

bool nbdkit_server::has_ended() {
  int status = 0;
  if (pid_ > 0 && ::waitpid(pid_, &status, WNOHANG) == pid_) {
    pid_ = -1;
    status_ = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return pid_ <= 0;
}

int nbdkit_server::wait() {
  const auto deadline = clock::now() + patience;
  while (!has_ended()) {
    if (clock::now() > deadline) {
      ::kill(pid_, SIGKILL);
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  return status_;
}

int nbdkit_server::stop() {
  if (!has_ended()) {
    ::kill(pid_, SIGTERM);
  }
  return wait();
}

void nbdkit_server::kill() {
  if (!has_ended()) {
    ::kill(pid_, SIGKILL);
    wait();
  }
}

std::string nbdkit_server::said() const {
  return harness::read_file(*this / "said");
}

harness::result refused(const std::string& folder, const words& parameters) {
  harness::run_options options;
  options.folder = folder;
  options.seconds = 10;
  return harness::run(command(folder + "/another", parameters), options);
}

target_status status_of(const nbdkit_server& server) {
  const std::string line = server.ask("status");
  std::istringstream text(line);
  target_status found;
  std::string begin, length, type, block, of, rest;
  text >> begin >> length >> type >> block >> found.used;
  if (text.get() != '/' || !(text >> found.total >> found.era >> found.snapshot) || type != "era" ||
      text >> rest) {
    throw std::runtime_error("the status is: " + line);
  }
  return found;
}

}  // namespace serving
