// Prints what era_check finds, as text or JSON: a line (an object) for each problem, in the order
// found, and a summary. Not thread safe.
#pragma once

#include <memory>
#include <string>

#include "base/output.h"
#include "era/check/check.h"

namespace era {

// A problem as a line of a report, without its end; and after the problems those that were left
// out, by their codes. Reports of other tools have them alike.
std::string line_of(const problem& found);
void print_more(base::output& out, const bounded_sink& problems);

class check_report : public problem_sink {
 public:
  // After the last problem; `problems` is what they came through, `error` is what the user is told
  // where the check ends badly, or empty.
  virtual void finish(const check_summary& summary, const bounded_sink& problems,
                      const std::string& error) = 0;

  // Instead of finish(), where the check could not be done to its end, and why: completes what was
  // begun.
  virtual void fail(const std::string& error) = 0;
};

// `file` is the name of what is checked.
std::unique_ptr<check_report> text_report(base::output& out, const std::string& file);
std::unique_ptr<check_report> json_report(base::output& out, const std::string& file);

// Prints nothing.
std::unique_ptr<check_report> silent_report();

}  // namespace era
