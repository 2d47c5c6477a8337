// The JSON of a report on metadata: one object with an array of problems, which is printed as they
// are found, and then what else its owner has to say. Not thread safe.
#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

#include "base/json.h"
#include "base/output.h"
#include "era/format/problems.h"

namespace era {

class problem_document {
 public:
  using member = std::pair<std::string_view, std::string_view>;

  // The members come first: what made the report, on what.
  problem_document(base::output& out, std::initializer_list<member> members);

  // A problem, and one thing that the owner adds to it.
  void found(const problem& p, const member& added);

  // Ends the problems, with how many more of each code there were, and has the owner add members to
  // what is returned until finish().
  base::json_writer& after_problems(const bounded_sink& problems);
  void finish();

  // Instead of these, where the work could not be done to its end, and why.
  void fail(const std::string& error);

 private:
  void print();

  base::output& out_;
  base::text text_;  // on its way to out_
  base::json_writer json_;
};

}  // namespace era
