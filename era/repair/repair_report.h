// Prints what era_repair found, did and had to assume, as text or JSON: a line (an object) for each
// problem, in the order found, and a summary. Not thread safe.
#pragma once

#include <memory>
#include <string>

#include "era/check/check_report.h"
#include "era/repair/repair.h"

namespace era {

class repair_report : public problem_sink {
 public:
  // After the last problem; `problems` is what they came through. `blocks_read` metadata blocks
  // were looked at.
  virtual void finish(const repair_summary& summary, std::uint64_t blocks_read,
                      const bounded_sink& problems) = 0;

  // Instead of finish(), where the repair could not be done, and why: completes what was begun.
  virtual void fail(const std::string& error) = 0;
};

// `file` is the name of what is repaired, `output` of what the result is written to.
std::unique_ptr<repair_report> text_repair_report(base::output& out, const std::string& file,
                                                  const std::string& output);
std::unique_ptr<repair_report> json_repair_report(base::output& out, const std::string& file,
                                                  const std::string& output);

// Prints nothing.
std::unique_ptr<repair_report> silent_repair_report();

// What the result rests on and how much of it is assumed, a sentence a line, without full stops:
// era_dump says the same.
std::vector<std::string> sentences_of(const repair_summary& summary);

}  // namespace era
