// The exceptions of the project. A failed operation throws one of these; damage found in metadata
// is data and is reported through a sink instead (persistent-data/damage.h). Each message is a
// whole sentence for the user: it names the file, says what is wrong and what to do next.
#pragma once

#include <stdexcept>
#include <string>

namespace base {

// The root: a tool that catches it prints what() and exits with status 1.
class error : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

// The operating system refused: open, read, write, flush.
class io_error : public error {
 public:
  using error::error;
};

// The reader of our output has gone (EPIPE). Exit status 1 without a word.
class broken_pipe : public io_error {
 public:
  broken_pipe() : io_error("broken pipe") {}
};

// The input, metadata or XML, is not what it should be.
class data_error : public error {
 public:
  using error::error;
};

// The command line is wrong; the message ends with where to find help.
class usage_error : public error {
 public:
  using error::error;
};

// A message without what to do.
std::string first_line(const std::string& message);

// "FILE: No such file or directory", and after it what to do, if anything is known.
std::string system_message(const std::string& what, int error_number,
                           const std::string& advice = "");

}  // namespace base
