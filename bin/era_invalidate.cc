#include <algorithm>
#include <string>
#include <vector>

#include "base/error.h"
#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "era/list/list_format.h"

namespace {

constexpr cli::command command{
    "era_invalidate",
    "[options] --written-since ERA {device|file}",
    "Lists the blocks that were written in era ERA or later.",
    {{0, "written-since", "ERA",
      "list blocks written in era ERA or later (ERA included); 0 lists every block"},
     cli::metadata_snapshot_option("read the metadata snapshot; the device may be live"),
     cli::output_option,
     {0, "format", "FORMAT", "form of the list: xml (default) or json"}}};

const era::list_format& choose_format(const cli::arguments& given) {
  std::vector<std::string> names;
  for (const era::list_format* const format : era::list_formats()) {
    names.emplace_back(format->name);
  }
  const std::string chosen = given.choice("format", names);
  return **std::find_if(era::list_formats().begin(), era::list_formats().end(),
                        [&](const era::list_format* format) { return chosen == format->name; });
}

cli::exit_status invalidate(const cli::arguments& given) {
  const std::string& file = given.device_or_file();
  if (!given.has("written-since")) {
    throw base::usage_error("Please specify --written-since ERA, the first era that counts.");
  }
  const auto since = static_cast<std::uint32_t>(given.number("written-since", UINT32_MAX));
  const era::list_format& format = choose_format(given);
  const era::metadata_state which = cli::state_to_read(given);
  pd::file_device device = cli::open_metadata(file, command.name, which);
  base::output out(given.value("output", "-"), file);
  era::metadata_file metadata(device);
  era::strict_sink sink(file);
  const era::written_list list = era::list_written_blocks(metadata, which, since, sink);
  era::print_list(format, list, out);
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, invalidate);
}
