// A percentage on standard error for a user who waits. Shown only if standard error is a terminal
// and the tool is not to be quiet, and not before a second has passed. Not thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace base {

class progress {
 public:
  progress(std::string what, bool wanted);
  ~progress();  // wipes the line
  progress(const progress&) = delete;
  progress& operator=(const progress&) = delete;

  void at(std::uint64_t done, std::uint64_t total);

 private:
  std::string what_;
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace base
