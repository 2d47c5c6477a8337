#include "guest.h"

#include <algorithm>
#include <sstream>
#include <stdexcept>

#include "../catch.h"
#include "../harness.h"

namespace kernel {
namespace {

constexpr int skip_status = 77;
constexpr std::size_t most_disks = 26;  // one letter each
const std::string marker_line = "-- all done, cut the power --";

// Empty if guests can be run, else why not.
const std::string& obstacle() {
  static const std::string reason = [] {
    harness::run_options options;
    options.seconds = 600;
    const auto fetched = harness::run({KERNEL_FOLDER "/fetch"}, options);
    if (fetched.status != 0 && fetched.status != skip_status) {
      throw std::runtime_error("fetch fails: " + fetched.err);
    }
    return fetched.status == 0 ? std::string() : fetched.err;
  }();
  return reason;
}

bool skipped = false;

bool holds_any(const std::string& line, const std::vector<std::string>& words) {
  return std::any_of(words.begin(), words.end(),
                     [&](const auto& word) { return line.find(word) != std::string::npos; });
}

}  // namespace

bool available() {
  if (!obstacle().empty()) {
    skip(obstacle());
  }
  return obstacle().empty();
}

void skip(const std::string& why) {
  skipped = true;
  WARN("skipped: " << why);
}

bool any_skipped() {
  return skipped;
}

std::string guest::add_disk(const std::string& file) {
  if (disks_.size() == most_disks) {
    throw std::logic_error("too many disks for one guest");
  }
  disks_.push_back(file);
  return std::string("/dev/vd") + static_cast<char>('a' + disks_.size() - 1);
}

outcome guest::run_and_cut(const std::string& script) const {
  return run(script + "\necho '" + marker_line + "'\nsleep 1000\n", marker_line);
}

outcome guest::run(const std::string& script, const std::string& marker) const {
  const harness::temporary_folder folder;
  harness::write_file(folder / "script", script);
  const std::string runner = KERNEL_FOLDER "/run-guest";
  std::vector<std::string> command = {runner};
  const auto add = [&](const std::string& option, const std::string& value) {
    command.insert(command.end(), {option, value});
  };
  add("--script", folder / "script");
  add("--dmesg", folder / "dmesg");
  add("--seconds", std::to_string(seconds_));
  for (const auto& disk : disks_) {
    add("--disk", disk);
  }
  for (const auto& program : programs_) {
    add("--take", program);
  }
  if (!marker.empty()) {
    add("--cut-at", marker);
  }
  harness::run_options options;
  options.seconds = seconds_ + 60;
  auto ran = harness::run(command, options);
  return {ran.status, std::move(ran.out), std::move(ran.err), harness::read_file(folder / "dmesg")};
}

std::vector<std::string> complaints(const std::string& dmesg,
                                    const std::vector<std::string>& expected) {
  // In a guest that does what it should, the device mapper and the block layer log nothing.
  static const std::vector<std::string> bad = {
      "device-mapper", "I/O error",           "BUG", "WARNING", "Oops", "Call Trace", "blocked for",
      "dmsetup:",      "beyond end of device"};
  std::vector<std::string> found;
  for (const auto& line : lines_of(dmesg)) {
    if (holds_any(line, bad) && !holds_any(line, expected)) {
      found.push_back(line);
    }
  }
  return found;
}

std::uint64_t fact(const std::string& out, const std::string& name) {
  for (const auto& line : lines_of(out)) {
    if (line.starts_with(name + ' ')) {
      return std::stoull(line.substr(name.size()));
    }
  }
  FAIL("the script does not report " << name << ": " << out);
  return 0;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    lines.push_back(line);
  }
  return lines;
}

}  // namespace kernel
