// How far a long task has come: a core reports to `progress`, and its caller decides what to make
// of that. Not thread safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

namespace base {

class progress {
 public:
  virtual ~progress() = default;

  // What follows is a stage of its own, such as "verifying".
  virtual void begin(const std::string& stage) = 0;

  // Of the present stage.
  virtual void at(std::uint64_t done, std::uint64_t total) = 0;
};

// For those that do not care.
class no_progress final : public progress {
 public:
  void begin(const std::string&) override {}
  void at(std::uint64_t, std::uint64_t) override {}
};

// A percentage on standard error for a human who waits. Shown only if standard error is a terminal
// and it is wanted, and not before a stage has taken a second.
class progress_bar final : public progress {
 public:
  explicit progress_bar(bool wanted);
  ~progress_bar() override;  // wipes the line
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  void begin(const std::string& stage) override;
  void at(std::uint64_t done, std::uint64_t total) override;

 private:
  void wipe();

  std::string stage_;
  bool shown_;
  bool drawn_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace base
