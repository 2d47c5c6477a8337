// era_copy on a system that fails at any call, or killed before it: a state file that says that the
// copy is complete is of a target that is the origin, and a delta is whole or is refused.
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "changed_device.h"
#include "failing_system.h"
#include "fixtures.h"

namespace {

using failing::check_failures;
using failing::subject;
using failing::words;
using faults::failure;
using fixtures::call;
using fixtures::changed_device;

// With those of the queue of requests.
std::vector<failure> all_failures() {
  auto all = failing::failures_and_kills();
  for (const bool lasts : {false, true}) {
    for (const int error : {EIO, EAGAIN, EINVAL}) {
      all.push_back({"queue", 0, "error", error, lasts});
    }
  }
  return all;
}

// A device that was copied once, with a state file that says so, and has changed since.
class copying {
 public:
  copying() : target(device_ / "target"), state(device_ / "state"), delta_(device_ / "delta") {
    REQUIRE(call("era_copy", {"--since-file", state, metadata_, origin_, target}).status == 0);
    old_target_ = harness::read_file(target);
    old_state_ = harness::read_file(state);
    device_.change(77);
  }

  subject with(const words& options) const {
    words command = {harness::tool("era_copy"), "--since-file", state};
    command.insert(command.end(), options.begin(), options.end());
    command.insert(command.end(), {metadata_, origin_, target});
    return tried("era_copy " + (options.empty() ? "to a file" : options.front()), command);
  }

  // By a delta, from a file.
  subject applying() const {
    REQUIRE(call("era_copy", {"-q", "--since-file", state, "--delta", delta_, metadata_, origin_})
                .status == 0);
    return tried("era_copy --apply",
                 {harness::tool("era_copy"), "--since-file", state, "--apply", delta_, target});
  }

  // To a delta: it is there only if it is whole, and so is the state that waits.
  subject writing_delta() const {
    subject made = tried("era_copy --delta", {harness::tool("era_copy"), "--since-file", state,
                                              "--delta", delta_, metadata_, origin_});
    made.judge = [this](const failure&, const harness::result& got) { return judge_delta(got); };
    return made;
  }

 private:
  subject tried(const std::string& name, const words& command) const {
    subject made;
    made.name = name;
    made.command = command;
    made.prepare = [this] { prepare(); };
    made.judge = [this](const failure&, const harness::result& got) { return judge(got); };
    return made;
  }

  void prepare() const {
    harness::write_file(target, old_target_);
    harness::write_file(state, old_state_);
  }

  std::string judge(const harness::result& got) const {
    const bool is_right = harness::read_file(target) == device_.origin();
    const auto now = harness::read_file(state);
    const auto known = nlohmann::json::parse(now);
    const bool is_complete = now != old_state_ && !known.at("in_progress").get<bool>();
    if (is_complete && !is_right) {
      return "a state file that says complete, and a target that differs";
    }
    if (got.status == 0 && !(is_complete && is_right)) {
      return "success without a copy";
    }
    if (now == old_state_ && harness::read_file(target) != old_target_) {
      return "a target that was written to before the state file said so";
    }
    return "";
  }

  std::string judge_delta(const harness::result& got) const {
    const bool is_there = std::filesystem::exists(delta_);
    const bool is_pending = std::filesystem::exists(state + ".pending");
    if (harness::read_file(state) != old_state_) {
      return "a state file that has changed";
    }
    if (is_pending && !is_there) {
      return "a state that waits, and no delta";
    }
    if (got.status == 0 && !is_pending) {
      return "success without a state that waits";
    }
    if (is_there && (call("era_copy", {"-q", "--apply", delta_, target}).status != 0 ||
                     harness::read_file(target) != device_.origin())) {
      return "a delta that does not make the origin";
    }
    std::filesystem::remove(delta_);
    std::filesystem::remove(state + ".pending");
    return "";
  }

  changed_device device_{{3000, 8, 4}, failing::fast_folder()};
  const std::string metadata_ = device_ / "metadata";
  const std::string origin_ = device_ / "origin";

 public:
  const std::string target;
  const std::string state;

 private:
  const std::string delta_;
  std::string old_target_;
  std::string old_state_;
};

}  // namespace

TEST_CASE("a copy on a failing system is complete, or the state file says that it is not") {
  if (!faults::available()) {
    return;
  }
  const copying copying;
  SECTION("to a file") {
    check_failures(copying.with({}), all_failures());
  }
  SECTION("what differs") {
    check_failures(copying.with({"--skip-equal", "--verify"}), all_failures());
  }
  SECTION("by a delta") {
    check_failures(copying.applying(), all_failures());
  }
}

TEST_CASE("a delta on a failing system is whole, or there is none") {
  if (!faults::available()) {
    return;
  }
  const copying copying;
  check_failures(copying.writing_delta(), all_failures());
}
