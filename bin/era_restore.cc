#include "base/error.h"
#include "bin/command_line.h"
#include "era/restore.h"

namespace {

const cli::command command{
    "era_restore",
    "[options] -i FILE -o {device|file}",
    "Writes the metadata of an era device from XML.",
    {{'i', "input", "FILE", "read the XML from FILE; - is standard input"},
     {'o', "output", "FILE", "write the metadata to FILE, a device or a file that exists"},
     {'q', "quiet", nullptr, "print nothing; the exit status tells"}},
    false};

cli::exit_status restore(const cli::arguments& given) {
  if (!given.has("input")) {
    throw base::usage_error("No input file provided.");
  }
  if (!given.has("output")) {
    throw base::usage_error("No output file provided.");
  }
  era::restore({given.value("input"), given.value("output"), given.has("quiet")});
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, restore);
}
