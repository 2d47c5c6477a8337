#include "base/error.h"
#include "base/number.h"
#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "era/check/check.h"
#include "era/check/check_report.h"

namespace {

const cli::command command{
    "era_check",
    "[options] {device|file}",
    "Checks the metadata of an era device and reports every problem.",
    {{'q', "quiet", nullptr, "print nothing; the exit status says it"},
     {0, "super-block-only", nullptr, "check the superblock alone"},
     {0, "ignore-non-fatal-errors", nullptr, "succeed if nothing worse is found"},
     {0, "format", "FORMAT", "form of the report: text (default) or json"}}};

std::unique_ptr<era::check_report> choose_report(const cli::arguments& given, base::output& out) {
  const std::string format = given.choice("format", {"text", "json"});
  if (given.has("quiet")) {
    return era::silent_report();
  }
  return format == "json" ? era::json_report(out, given.input())
                          : era::text_report(out, given.input());
}

std::string verdict(const era::check_summary& summary, const std::string& file) {
  if (!summary.superblock_usable) {
    return file + ": " + summary.first_error + ".";
  }
  return file + ": damaged: " + base::counted(summary.errors, "error") + " and " +
         base::counted(summary.nonfatal, "non-fatal error") + ", listed on standard output.";
}

cli::exit_status check(const cli::arguments& given) {
  const std::string& file = given.input();
  pd::file_device device = cli::open_metadata(file, command.name, era::metadata_state::live);
  base::output out("-");
  const std::unique_ptr<era::check_report> report = choose_report(given, out);
  base::progress_bar progress(!given.has("quiet"));
  const era::check_summary summary =
      era::check(device, {given.has("super-block-only")}, *report, progress);
  device.require_unchanged();
  report->finish(summary);
  out.commit();
  const bool sound =
      summary.errors == 0 && (summary.nonfatal == 0 || given.has("ignore-non-fatal-errors"));
  if (!sound) {
    throw base::data_error(verdict(summary, file));
  }
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, check);
}
