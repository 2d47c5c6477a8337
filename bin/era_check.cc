#include "base/error.h"
#include "base/number.h"
#include "bin/command_line.h"
#include "bin/metadata_source.h"
#include "era/check/check.h"
#include "era/check/check_report.h"

namespace {

constexpr cli::command command{
    "era_check",
    "[options] {device|file | --live NAME}",
    "Checks the metadata of an era device and reports every problem.",
    {cli::quiet_option,
     {0, "super-block-only", nullptr, "check the superblock alone"},
     cli::metadata_snapshot_option(
         "check what the metadata snapshot holds; the device may be live"),
     cli::live_option,
     cli::keep_option,
     cli::replace_snapshot_option,
     {0, "ignore-non-fatal-errors", nullptr, "succeed if nothing worse is found"},
     {0, "format", "FORMAT", "form of the report: text (default) or json"},
     cli::progress_option}};

std::unique_ptr<era::check_report> choose_report(const cli::arguments& given,
                                                 const std::string& file, base::output& out) {
  const std::string format = given.choice("format", {"text", "json"});
  if (given.has("quiet")) {
    return era::silent_report();
  }
  return format == "json" ? era::json_report(out, file) : era::text_report(out, file);
}

// Empty if all is sound.
std::string verdict(const era::check_summary& summary, const std::string& file,
                    const cli::arguments& given) {
  if (!summary.superblock_usable) {
    return file + ": " + summary.first_error + ".";
  }
  if (summary.errors == 0 && (summary.nonfatal == 0 || given.has("ignore-non-fatal-errors"))) {
    return "";
  }
  return file + ": damaged: " + base::counted(summary.errors, "error") + " and " +
         base::counted(summary.nonfatal, "non-fatal error") + ", listed on standard output.";
}

era::check_summary check_all(cli::metadata_source& source, const cli::arguments& given,
                             era::problem_sink& problems) {
  base::progress_bar progress(cli::when_to_show_progress(given));
  return era::check(source.device(), {given.has("super-block-only"), source.state()}, problems,
                    progress);
}

// What was found until the check failed is as true as ever.
[[noreturn]] void end_early(era::check_report& report, base::output& out,
                            const std::exception& failure) {
  const std::string message = cli::message_of(failure, command);
  report.fail(message);
  out.commit();
  throw cli::reported_error(message);
}

cli::exit_status check(const cli::arguments& given) {
  cli::require_source(given);
  given.choice("format", {"text", "json"});
  cli::metadata_source source(given, command);
  base::output out("-");
  const std::unique_ptr<era::check_report> report = choose_report(given, source.name(), out);
  era::bounded_sink problems(*report);
  era::check_summary summary;
  try {
    summary = check_all(source, given, problems);
    source.finish();
  } catch (const std::exception& failure) {
    end_early(*report, out, failure);
  }
  const std::string error = verdict(summary, source.name(), given);
  report->finish(summary, problems, error);
  out.commit();
  if (!error.empty()) {
    throw cli::reported_error(error);
  }
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, check);
}
