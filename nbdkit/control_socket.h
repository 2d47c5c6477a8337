// A Unix socket on which a server is asked and told things: a client sends one line and gets lines
// back, whereupon the connection is closed. An answer is complete if it ends with a newline; one
// that begins with "error: " says what failed.
//
// Clients are served one after another by a thread of this object. They are not trusted: a line has
// a limit, and so has the time that a client may take. Only the owner of the server may connect.
#pragma once

#include <functional>
#include <string>
#include <thread>

#include "base/file_handle.h"

namespace served {

class control_socket {
 public:
  static constexpr std::size_t longest_line = 4096;

  // What to answer to a line, both without the newline at their end. What it throws is answered as
  // an error.
  using answering = std::function<std::string(const std::string& line)>;

  // Makes the socket. One on which no server listens any more is replaced. Throws base::io_error if
  // there is something else at `path`, or a server.
  explicit control_socket(std::string path);

  // Stops, and removes the socket if it is still there.
  ~control_socket();
  control_socket(const control_socket&) = delete;
  control_socket& operator=(const control_socket&) = delete;

  // Begins to serve, in a thread; and ends that after the client of the moment.
  void start(answering answer);
  void stop();

 private:
  void serve();
  void serve(const base::file_handle& client) const;

  std::string path_;
  base::file_handle listening_;
  struct stat made_ = {};      // the socket in the file system
  base::file_handle stopped_;  // an eventfd: readable when it is to end
  answering answer_;
  std::thread thread_;
};

}  // namespace served
