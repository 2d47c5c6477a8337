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

  // What follows is a stage of its own, such as "verifying", in steps of so many bytes; 0 if they
  // are not of one size.
  virtual void begin(const std::string& stage, std::uint64_t bytes_of_step) = 0;

  // Of the present stage, in steps. A total of 0 is not known.
  virtual void at(std::uint64_t done, std::uint64_t total) = 0;
};

// For those that do not care.
class no_progress final : public progress {
 public:
  void begin(const std::string&, std::uint64_t) override {}
  void at(std::uint64_t, std::uint64_t) override {}
};

// A bar on standard error for a human who waits, with percent, rate and time left:
//
//   verifying [=======>            ]  38 %  412 MiB/s  0:05 left
//
// On a terminal one line is drawn again and again, and wiped at the end; anywhere else each is a
// line of its own.
class progress_bar final : public progress {
 public:
  enum class shown {
    on_terminals,  // from the first second on
    always,        // at once, and into a pipe too
    never
  };

  explicit progress_bar(shown when);
  ~progress_bar() override;
  progress_bar(const progress_bar&) = delete;
  progress_bar& operator=(const progress_bar&) = delete;

  void begin(const std::string& stage, std::uint64_t bytes_of_step) override;
  void at(std::uint64_t done, std::uint64_t total) override;

 private:
  using clock = std::chrono::steady_clock;

  void wipe();

  bool shown_;
  bool terminal_;
  bool drawn_ = false;
  clock::time_point next_;  // nothing is drawn before
  std::string stage_;
  std::uint64_t bytes_of_step_ = 0;
  clock::time_point begun_;  // the present stage
};

// The text of a bar, at most `width` columns: `seconds` since the stage began.
std::string progress_line(const std::string& stage, std::uint64_t done, std::uint64_t total,
                          std::uint64_t bytes_of_step, double seconds, std::size_t width);

}  // namespace base
