// The client of a control socket: the Unix stream socket on which a server of an era device takes
// questions and messages, as the plugin of nbdkit does.
//
// One line is sent, and the server answers with lines and closes the connection. A first line that
// begins with "error: " means failure, and the rest of that line and all that follow are what was
// wrong. Otherwise there is one line: the answer to a question, or "ok" to a message.
// Answers are not trusted: they are bounded in length and silence, and what is not understood in
// full is refused. Not thread safe.
#pragma once

#include <chrono>
#include <cstddef>
#include <string>
#include <utility>

#include "base/file_handle.h"

namespace cli {

class control_client {
 public:
  static constexpr std::size_t longest_answer = 64 * 1024;  // bytes
  static constexpr std::chrono::milliseconds usual_patience = std::chrono::seconds(30);

  // Each call makes a connection of its own. `patience` is for how long the server may be silent.
  explicit control_client(std::string path, std::chrono::milliseconds patience = usual_patience)
      : path_(std::move(path)), patience_(patience) {}

  // These throw base::io_error where the server can't be reached or goes away, and base::data_error
  // for what it refuses and for an answer that is not understood; each names the path.

  // The line that answers "status" or "table", without its end.
  std::string ask(const std::string& question);

  void send(const std::string& message);

 private:
  enum class kind { question, message };

  base::file_handle connect() const;
  std::string exchange(const std::string& line, kind what) const;
  std::string read_answer(const base::file_handle& connection, kind what) const;
  [[noreturn]] void refuse_connection(int error) const;

  std::string path_;
  std::chrono::milliseconds patience_;
};

}  // namespace cli
