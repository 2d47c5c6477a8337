// A server with a control socket, as era_message asks it, in a thread of the test: one connection
// after the other, one line on each. May be asked from any thread.
#pragma once

#include <functional>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace harness {

class control_server {
 public:
  // What is sent in answer to a line, after which the connection is closed.
  using answer = std::function<std::string(const std::string& line)>;

  // Listens at once; throws std::runtime_error where it can't.
  control_server(const std::string& path, answer answers);
  ~control_server();
  control_server(const control_server&) = delete;
  control_server& operator=(const control_server&) = delete;

  // All lines so far, without their ends.
  std::vector<std::string> heard() const;

 private:
  void serve();

  answer answers_;
  int listener_;
  mutable std::mutex lock_;
  std::vector<std::string> heard_;
  std::thread thread_;
};

}  // namespace harness
