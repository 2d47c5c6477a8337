#include "base/progress.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>

#include "base/message.h"
#include "base/terminal.h"

namespace base {
namespace {

constexpr auto first_drawn_after = std::chrono::seconds(1);
constexpr std::size_t widest_bar = 40;

// With three digits or so: "9.87", "98.7", "987".
std::string rounded(double value) {
  std::array<char, 32> text;
  const int decimals = value < 10 ? 2 : value < 100 ? 1 : 0;
  std::snprintf(text.data(), text.size(), "%.*f", decimals, value);
  return text.data();
}

// In the largest unit of which there is one.
std::string in_units(double value, double step, const std::array<const char*, 5>& prefixes) {
  std::size_t i = 0;
  while (value >= step && i + 1 < prefixes.size()) {
    value /= step;
    ++i;
  }
  return rounded(value) + " " + prefixes[i];
}

std::string in_bytes(double bytes) {
  return in_units(bytes, 1024, {"B", "KiB", "MiB", "GiB", "TiB"});
}

std::string in_thousands(double value) {
  return in_units(value, 1000, {"", "k", "M", "G", "T"});
}

// "0:07", "1:02:03"
std::string clock_text(double seconds) {
  const auto whole = static_cast<std::uint64_t>(std::llround(std::min(seconds, 3.6e8)));
  std::array<char, 48> text;
  const auto hours = static_cast<unsigned long long>(whole / 3600);
  const auto minutes = static_cast<unsigned>(whole / 60 % 60);
  const auto rest = static_cast<unsigned>(whole % 60);
  if (hours > 0) {
    std::snprintf(text.data(), text.size(), "%llu:%02u:%02u", hours, minutes, rest);
  } else {
    std::snprintf(text.data(), text.size(), "%u:%02u", minutes, rest);
  }
  return text.data();
}

std::string bar(double part, std::size_t columns) {
  const auto full = static_cast<std::size_t>(part * static_cast<double>(columns));
  std::string text(full, '=');
  if (full < columns) {
    text += '>';
    text.resize(columns, ' ');
  }
  return "[" + text + "]";
}

bool is_shown(progress_bar::shown when, bool terminal) {
  return when == progress_bar::shown::always ||
         (when == progress_bar::shown::on_terminals && terminal);
}

}  // namespace

std::string progress_line(const std::string& stage, std::uint64_t done, std::uint64_t total,
                          std::uint64_t bytes_of_step, double seconds, std::size_t width) {
  const double steps_in_a_second = seconds > 0 ? static_cast<double>(done) / seconds : 0;
  const double bytes = static_cast<double>(bytes_of_step);
  const std::string rate = bytes_of_step > 0 ? in_bytes(steps_in_a_second * bytes) + "/s"
                                             : in_thousands(steps_in_a_second) + "/s";
  if (total == 0) {
    const std::string so_far =
        bytes_of_step > 0 ? in_bytes(static_cast<double>(done) * bytes) : std::to_string(done);
    return (stage + "  " + so_far + "  " + rate).substr(0, width);
  }
  const double part = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
  std::array<char, 16> percent;
  std::snprintf(percent.data(), percent.size(), "%3d %%", static_cast<int>(100 * part));
  std::string numbers = percent.data() + ("  " + rate);
  if (steps_in_a_second > 0) {
    const double left = static_cast<double>(total - std::min(done, total)) / steps_in_a_second;
    numbers += "  " + clock_text(left) + " left";
  }
  // Room for the bar and the blanks and brackets around it.
  const std::size_t taken = stage.size() + numbers.size() + 4;
  const std::size_t columns = width > taken ? std::min(width - taken, widest_bar) : 0;
  const std::string middle = columns >= 4 ? " " + bar(part, columns) + " " : "  ";
  return (stage + middle + numbers).substr(0, width);
}

progress_bar::progress_bar(shown when)
    : shown_(false), terminal_(::isatty(STDERR_FILENO) == 1), next_(clock::now()) {
  shown_ = is_shown(when, terminal_);
  if (when == shown::on_terminals) {
    next_ += first_drawn_after;
  }
}

progress_bar::~progress_bar() {
  wipe();
}

void progress_bar::wipe() {
  if (drawn_ && terminal_) {
    draw("\r\033[K");
  }
  drawn_ = false;
}

void progress_bar::begin(const std::string& stage, std::uint64_t bytes_of_step) {
  wipe();
  stage_ = stage;
  bytes_of_step_ = bytes_of_step;
  begun_ = clock::now();
}

void progress_bar::at(std::uint64_t done, std::uint64_t total) {
  if (!shown_) {
    return;
  }
  const clock::time_point now = clock::now();
  const bool ended = total > 0 && done >= total && drawn_;  // a log shows that a stage was whole
  if (now < next_ && (terminal_ || !ended)) {
    return;
  }
  next_ = now + (terminal_ ? std::chrono::milliseconds(200) : std::chrono::milliseconds(1000));
  drawn_ = !ended || terminal_;
  const std::chrono::duration<double> passed = now - begun_;
  const std::string line =
      progress_line(stage_, done, total, bytes_of_step_, passed.count(),
                    terminal_ ? columns_of_terminal(STDERR_FILENO) - 1 : usual_columns);
  if (terminal_) {
    draw("\r" + line + "\033[K");
  } else {
    say(line);
  }
}

}  // namespace base
