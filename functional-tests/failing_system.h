// A tool at work on a system that fails (faults.h): every call of a kind fails once, and once with
// all that come after it, and each end is judged. What is common to all tools is judged here: one
// message, status 1, and no failure where there is no reason. Not thread safe.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "faults.h"
#include "harness.h"

namespace failing {

using words = std::vector<std::string>;

// What is tried with every call of a kind; `at` is left open.
const std::vector<faults::failure>& usual_failures();

// These, and the process ended before every call that changes something.
const std::vector<faults::failure>& failures_and_kills();

// What is wrong about how a tool ended; nothing if all is as it should be.
using judgement = std::function<std::string(const faults::failure&, const harness::result&)>;

struct subject {
  std::string name;
  words command;
  judgement judge;
  std::function<void()> prepare = [] {};
  harness::run_options options = {};
  bool tells_more = false;    // remarks may come with success, and before the message
  bool always_fails = false;  // without any failure of the system, too
};

// Runs with each of these failures in turn, at every call of its kind (ERA_LONG=1) or at the first
// and the last ones and some between; prints how many calls there are and how the runs ended.
void check_failures(const subject& of, const std::vector<faults::failure>& failures);

// Whether `text` is `of`, cut off or not.
bool is_begin_of(const std::string& text, const std::string& of);

// Where flushes cost nothing, if there is such a place: thousands of them do.
std::string fast_folder();

// Whether all readers refuse the metadata at `path`, a repair too, and a target would not format
// it. Metadata without a superblock holds nothing else that they look at, so one block 0 is looked
// at once.
bool is_refused(const std::string& path);

}  // namespace failing
