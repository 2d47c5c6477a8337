// nbdkit with the built plugin, for tests: started in a folder, asked by its control socket, and
// ended. Not thread safe, but for ask().
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "harness.h"

namespace serving {

using words = std::vector<std::string>;

// Whether the plugin can be served here; says why not.
bool can_serve();

// To a socket in the file system; closed with the object.
class unix_connection {
 public:
  explicit unix_connection(const std::string& path);
  ~unix_connection();
  unix_connection(const unix_connection&) = delete;
  unix_connection& operator=(const unix_connection&) = delete;

  int fd() const { return fd_; }
  bool is_open() const { return is_open_; }  // false: nobody listens there

 private:
  int fd_;
  bool is_open_ = false;
};

// Sends these bytes to a Unix socket, and returns what comes back until its other end is closed. It
// is an error if that takes longer than `seconds`.
std::string exchange(const std::string& socket, const std::string& bytes, int seconds = 20);

class nbdkit_server {
 public:
  // Relative names in the plugin's parameters are in `folder`, and so are the sockets "nbd" and, if
  // the parameters say control=control, "control". Throws what was said if it does not come up.
  nbdkit_server(std::string folder, const words& parameters);
  // Kills it if it still runs.
  ~nbdkit_server();
  nbdkit_server(const nbdkit_server&) = delete;
  nbdkit_server& operator=(const nbdkit_server&) = delete;

  const std::string& folder() const { return folder_; }
  std::string operator/(const std::string& name) const { return folder_ + '/' + name; }
  std::string socket() const { return *this / "nbd"; }
  std::string uri(const std::string& export_name = "") const;

  // What the control socket answers to a line.
  std::string ask(const std::string& line) const;

  // SIGTERM, and what the server's end was: its exit status, or 128 + the signal that killed it.
  int stop();
  void kill();

  // All that it has printed.
  std::string said() const;
  pid_t pid() const { return pid_; }

 private:
  bool has_ended();
  int wait();
  void wait_until_it_listens();

  std::string folder_;
  pid_t pid_ = -1;
  int status_ = -1;
};

// The same, for a server that does not come up: how it ends. It is killed after ten seconds.
harness::result refused(const std::string& folder, const words& parameters);

// What the status line says.
struct target_status {
  std::uint64_t used = 0;
  std::uint64_t total = 0;
  std::uint32_t era = 0;
  std::string snapshot;  // its block, or "-"
};

// Throws std::runtime_error where it is not a status line with numbers.
target_status status_of(const nbdkit_server& server);

}  // namespace serving
