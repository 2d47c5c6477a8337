#include "bin/command_line.h"
#include "era/dump.h"

namespace {

const cli::command command{
    "era_dump",
    "[options] {device|file}",
    "Prints the metadata of an era device as XML.",
    {{0, "logical", nullptr, "print only the era in which each block was last written"},
     {'r', "repair", nullptr, "go on after damage; what is lost counts as written just now"},
     {0, "metadata-snapshot", nullptr, "read the metadata snapshot; the device may be live"},
     {0, "compact", nullptr, "leave out unset bits and eras of 0"},
     {'o', "output", "FILE", "write to FILE, not to standard output"}}};

cli::exit_status dump(const cli::arguments& given) {
  era::dump_options options;
  options.output = given.value("output", "-");
  options.logical = given.has("logical");
  options.compact = given.has("compact");
  options.repair = given.has("repair");
  era::dump({given.input(), command.name, given.has("metadata-snapshot")}, options);
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, dump);
}
