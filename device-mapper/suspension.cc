#include "device-mapper/suspension.h"

#include "base/error.h"
#include "base/message.h"

namespace dm {
namespace {

constexpr int keeps_none = -1;

constexpr char no_moment[] = "What was read meanwhile is of no one moment. Start again.";

std::string how_to_resume(const std::string& name) {
  return "Resume it by hand: dmsetup resume " + name;
}

// Whether the device of this name is still that one, and is suspended.
bool is_suspended(devices& at, const std::string& name, dev_t number) {
  const std::optional<device_state> state = at.find(name);
  return state && state->number == number && state->suspended;
}

// Returns whether it was suspended.
bool resume_if_suspended(devices& at, const std::string& name, dev_t number) {
  if (!is_suspended(at, name, number)) {
    return false;
  }
  at.resume(name);
  return true;
}

void require_unchanged(devices& at, const live_target& of) {
  if (require_target(at, of.name, of.table.type).number != of.number) {
    throw base::data_error(of.name + ": is another device by now");
  }
  const std::optional<device_state> state = at.find(of.name);
  if (state && state->has_next_table) {
    throw base::data_error(
        of.name + ": another table is loaded, which a resume would put in place\n" +
        "Have that done (dmsetup resume " + of.name + "), or drop that table (dmsetup clear " +
        of.name + "), and start again.");
  }
}

}  // namespace

suspension::suspension(devices& at, const live_target& of, const suspension_options& how)
    : at_(at),
      name_(of.name),
      number_(of.number),
      longest_(how.longest),
      if_it_fails_(how.quiet ? "" : name_ + ": could not be resumed\n" + how_to_resume(name_)) {
  require_unchanged(at_, of);
  at_.release();
  const auto work = [&at, name = name_, number = number_](std::uint64_t) {
    return resume_if_suspended(at, name, number);
  };
  guardian_.emplace(work, keeps_none, if_it_fails_, guardian::memory::locked);
  begun_ = guardian::clock::now();
  guardian_->watch(0, deadline());
  try {
    at_.suspend(name_);
  } catch (...) {
    give_back();  // it may be suspended all the same
    throw;
  }
}

suspension::~suspension() {
  if (guardian_) {
    give_back();
  }
}

// Leaves it to the guardian, which knows whether it has resumed the device already: if it has, what
// is suspended now is somebody else's. This process stands in for one that has gone or failed.
bool suspension::give_back() noexcept {
  const bool is_done = guardian_->finish();
  guardian_.reset();
  if (is_done) {
    return true;
  }
  try {
    resume_if_suspended(at_, name_, number_);
    return true;
  } catch (...) {
    if (!if_it_fails_.empty()) {
      base::say(if_it_fails_);
    }
    return false;
  }
}

void suspension::dismiss_guardian() noexcept {
  guardian_->dismiss();
  guardian_.reset();
}

void suspension::resume() {
  const bool was_suspended = is_suspended(at_, name_, number_);
  // Looked at after the state: the guardian may have acted by now, but had not by then.
  if (guardian::clock::now() >= deadline()) {
    const std::string too_long =
        name_ + ": was suspended for longer than " + std::to_string(longest_.count()) + " ms";
    if (!give_back()) {
      throw base::io_error(too_long + ", and could not be resumed\n" + how_to_resume(name_));
    }
    throw base::data_error(too_long + ", and was resumed\n" + no_moment);
  }
  if (!was_suspended) {
    dismiss_guardian();
    throw base::data_error(name_ + ": was resumed by somebody else\n" + no_moment);
  }
  try {
    at_.resume(name_);
  } catch (const base::error& failure) {
    throw base::io_error(name_ + ": could not be resumed: " + base::first_line(failure.what()) +
                         "\n" + how_to_resume(name_));
  }
  duration_ = std::chrono::round<std::chrono::milliseconds>(guardian::clock::now() - begun_);
  dismiss_guardian();
}

}  // namespace dm
