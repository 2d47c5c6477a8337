#include <algorithm>

#include "base/error.h"
#include "base/file_handle.h"
#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "era/build/metadata_builder.h"
#include "era/check/check.h"
#include "era/read/first_report.h"
#include "era/repair/repair_report.h"

namespace {

constexpr cli::command command{
    "era_repair",
    "[options] -i {device|file} -o {device|file}",
    "Writes sound metadata of an era device from damaged metadata.",
    {{'i', "input", "FILE", "the damaged metadata, which is only read"},
     cli::new_metadata_option,
     cli::force_option,
     cli::quiet_option,
     {0, "format", "FORMAT", "form of the report: text (default) or json"},
     {0, "data-block-size", "SECTORS", "size of a data block, where it cannot be found"},
     {0, "nr-blocks", "N", "number of data blocks, where it cannot be found"},
     {0, "current-era", "N", "the new current era; else 1000000 later"},
     cli::progress_option},
    0};

std::unique_ptr<era::repair_report> choose_report(const cli::arguments& given, base::output& out) {
  const std::string format = given.choice("format", {"text", "json"});
  if (given.has("quiet")) {
    return era::silent_repair_report();
  }
  const std::string file = given.value("input");
  const std::string output = given.value("output");
  return format == "json" ? era::json_repair_report(out, file, output)
                          : era::text_repair_report(out, file, output);
}

era::repair_options options_of(const cli::arguments& given) {
  era::repair_options options;
  options.data_block_size = given.positive_number("data-block-size", UINT32_MAX);
  if (options.data_block_size && !era::is_data_block_size(*options.data_block_size)) {
    throw base::usage_error("--data-block-size must be a multiple of 8 sectors, and " +
                            given.value("data-block-size") + " is not.");
  }
  options.nr_blocks = given.positive_number("nr-blocks", era::max_data_blocks);
  options.current_era = given.positive_number("current-era", UINT32_MAX);
  return options;
}

std::string advice(const era::geometry_unknown& unknown) {
  const std::string size = "--data-block-size, in sectors, as in the device's table";
  const std::string number =
      "--nr-blocks, the device's length divided by the data block size, rounded up";
  if (!unknown.lacks_nr_blocks()) {
    return "Give " + size + ".";
  }
  return "Give " + (unknown.lacks_data_block_size() ? size + ", and " + number : number) + ".";
}

// Checks first: the report says all that is wrong, though a repair may not meet it.
void repair_into(const cli::arguments& given, const era::repair_options& options,
                 pd::file_device& device, pd::file_device& output, era::repair_report& report) {
  base::progress_bar progress(cli::when_to_show_progress(given));
  era::bounded_sink shown(report);
  era::first_report problems(shown, device.nr_blocks());
  const era::check_summary checked = era::check(device, {}, problems, progress);
  problems.only_new_from_now_on();
  era::metadata_builder building(output);
  const era::repair_summary done = era::repair(device, options, problems, building, progress);
  report.finish(done, std::max(checked.blocks_read, done.contents.blocks_read), shown);
}

cli::exit_status repair(const cli::arguments& given) {
  if (!given.has("input")) {
    throw base::usage_error("No input file provided.");
  }
  cli::require_output(given);
  const std::string file = given.value("input");
  given.choice("format", {"text", "json"});
  const era::repair_options options = options_of(given);
  pd::file_device device = cli::open_metadata(file, command.name, era::metadata_state::live);
  pd::file_device output = cli::open_output(given, base::stat_path(file));
  base::output out("-", file);
  const std::unique_ptr<era::repair_report> report = choose_report(given, out);
  try {
    repair_into(given, options, device, output, *report);
  } catch (const base::broken_pipe&) {
    throw;
  } catch (const std::exception& failure) {
    std::string message = cli::message_of(failure, command);
    if (const auto* const unknown = dynamic_cast<const era::geometry_unknown*>(&failure)) {
      message += "\n" + advice(*unknown);
    }
    report->fail(message);
    out.commit();
    throw cli::reported_error(message);
  }
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, repair);
}
