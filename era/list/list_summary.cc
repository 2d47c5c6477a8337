// The totals of a list, without the list.
#include "era/list/list_forms.h"

namespace era {

void print_summary_text(const styled_list& list, base::output& out) {
  out << "blocks ";
  out.number(list.facts.total_blocks) << "\nbytes ";
  out.number(list.facts.total_bytes) << "\nranges ";
  out.number(list.facts.total_ranges) << "\nnext_since ";
  out.number(list.facts.next_since) << "\n";
}

void print_summary_json(const styled_list& list, base::output& out) {
  base::text text;
  base::json_writer json(text);
  json.begin_object();
  put_list_facts(list, json);
  json.end_object();
  out << text.view();
}

}  // namespace era
