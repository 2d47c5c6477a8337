#include "bin/copy_report.h"

#include "base/json.h"
#include "base/number.h"
#include "base/text.h"

namespace cli {
namespace {

std::uint64_t count_of(std::chrono::milliseconds time) {
  return static_cast<std::uint64_t>(time.count());
}

void print_round(const copy_report& report, std::size_t i, base::output& out) {
  const copy_round& round = report.rounds[i];
  const bool is_suspended = report.suspended && i + 1 == report.rounds.size();
  out << "round " << std::to_string(i + 1) << ": " << base::counted(round.bytes, "byte") << " in "
      << base::counted(round.ranges, "range");
  if (round.since) {
    out << ", written since era " << std::to_string(*round.since);
  }
  if (is_suspended) {
    out << ", suspended for " << std::to_string(count_of(*report.suspended)) << " ms\n";
  } else {
    out << ", " << std::to_string(count_of(round.time)) << " ms\n";
  }
}

}  // namespace

void print_text(const copy_report& report, base::output& out) {
  for (std::size_t i = 0; i < report.rounds.size(); ++i) {
    print_round(report, i, out);
  }
  out << report.target << ": " << base::counted(report.totals.copied, "byte")
      << " copied: " << std::to_string(report.totals.written) << " written, "
      << std::to_string(report.totals.zeroed) << " made zeros, "
      << std::to_string(report.totals.skipped) << " there already\n";
  if (report.suspended) {
    out << report.target << ": is " << report.source
        << " as it was at the moment of the suspension\n";
  }
  if (!report.pending.empty()) {
    out << report.pending << ": has era " << std::to_string(*report.next_since)
        << ", for when the delta has been applied (--commit-since)\n";
  } else if (report.next_since) {
    out << "next time: --written-since " << std::to_string(*report.next_since) << "\n";
  }
}

void print_json(const copy_report& report, base::output& out) {
  base::text text;
  base::json_writer json(text);
  json.begin_object();
  json.text("tool", report.tool);
  json.text("version", ERA_TOOLS_VERSION);
  json.text("source", report.source);
  json.text("target", report.target);
  json.begin_array("rounds");
  for (const copy_round& round : report.rounds) {
    json.begin_object();
    if (round.since) {
      json.number("written_since", *round.since);
    }
    json.number("bytes", round.bytes);
    json.number("ranges", round.ranges);
    json.number("milliseconds", count_of(round.time));
    json.end_object();
  }
  json.end_array();
  json.number("bytes_copied", report.totals.copied);
  json.number("bytes_written", report.totals.written);
  json.number("bytes_zeroed", report.totals.zeroed);
  json.number("bytes_equal", report.totals.skipped);
  json.boolean("consistent", report.suspended.has_value());
  if (report.suspended) {
    json.number("suspended_milliseconds", count_of(*report.suspended));
  }
  if (report.next_since) {
    json.number("next_since", *report.next_since);
  }
  json.end_object();
  out << text.view();
}

}  // namespace cli
