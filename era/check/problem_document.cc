#include "era/check/problem_document.h"

namespace era {
namespace {

constexpr std::size_t depth_of_problems = 2;

}  // namespace

problem_document::problem_document(base::output& out, std::initializer_list<member> members)
    : out_(out), json_(text_) {
  json_.begin_object();
  for (const auto& [name, value] : members) {
    json_.text(name, value);
  }
  json_.begin_array("problems");
  print();
}

void problem_document::found(const problem& p, const member& added) {
  const problem_row& row = row_of(p.code);
  json_.begin_object();
  json_.text("code", row.name);
  json_.text("severity", severity_name(row.how_bad));
  json_.number("block", p.block);
  json_.text("where", describe(p.at));
  json_.text("what", p.what);
  json_.text("consequence", consequence_of(p));
  json_.text(added.first, added.second);
  json_.end_object();
  print();
}

base::json_writer& problem_document::after_problems(const bounded_sink& problems) {
  json_.end_array();
  json_.begin_array("more_problems");
  for (const problem_row& row : problem_table()) {
    if (const std::uint64_t more = problems.not_shown(row.code)) {
      json_.begin_object();
      json_.text("code", row.name);
      json_.number("count", more);
      json_.end_object();
    }
  }
  json_.end_array();
  return json_;
}

void problem_document::finish() {
  json_.end_object();
  print();
}

void problem_document::fail(const std::string& error) {
  // A problem may have been half written when memory ran out.
  while (json_.depth() > depth_of_problems) {
    json_.end_object();
  }
  text_.clear();
  json_.end_array();
  json_.text("error", error);
  finish();
}

void problem_document::print() {
  out_ << text_.view();
  text_.clear();
}

}  // namespace era
