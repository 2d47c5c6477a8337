#include "base/error.h"
#include "bin/command_line.h"
#include "era/invalidate.h"

namespace {

const cli::command command{
    "era_invalidate",
    "[options] --written-since ERA {device|file}",
    "Lists the blocks that were written in era ERA or later.",
    {{0, "written-since", "ERA", "the first era that counts; 0 lists every block"},
     {0, "metadata-snapshot", nullptr, "read the metadata snapshot; the device may be live",
      "metadata-snap"},
     {'o', "output", "FILE", "write to FILE, not to standard output"},
     {0, "format", "FORMAT", "form of the list: xml (default) or json"}}};

cli::exit_status invalidate(const cli::arguments& given) {
  const std::string& file = given.input();
  if (!given.has("written-since")) {
    throw base::usage_error("Please specify --written-since ERA, the first era that counts.");
  }
  era::invalidate_options options;
  options.written_since = static_cast<std::uint32_t>(given.number("written-since", UINT32_MAX));
  options.output = given.value("output", "-");
  options.format = given.choice("format", {"xml", "json"}) == "json"
                       ? era::invalidate_options::form::json
                       : era::invalidate_options::form::xml;
  era::invalidate({file, command.name, given.has("metadata-snapshot")}, options);
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, invalidate);
}
