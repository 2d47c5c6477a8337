#include <optional>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/message.h"
#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "bin/open_text.h"
#include "era/build/all_written.h"
#include "era/build/metadata_builder.h"
#include "era/build/unpacked_metadata.h"
#include "era/xml/xml_reader.h"
#include "persistent-data/file_device.h"

namespace {

constexpr cli::command command{
    "era_restore",
    "[options] {-i FILE|--unpack FILE} -o {device|file}",
    "Writes the metadata of an era device from XML.",
    {{'i', "input", "FILE", "read the XML from FILE; - is standard input"},
     {0, "unpack", "FILE", "no XML: put the blocks back that era_dump --pack has packed"},
     cli::new_metadata_option,
     cli::force_option,
     {0, "all-written", nullptr, "take every block as written, in a new era"},
     {0, "current-era", "N", "the new current era; else 1000000 later"},
     cli::quiet_option,
     cli::progress_option},
    0};

std::optional<std::uint32_t> new_era(const cli::arguments& given) {
  if (!given.has("current-era")) {
    return std::nullopt;
  }
  if (!given.has("all-written")) {
    throw base::usage_error("--current-era goes with --all-written.");
  }
  return static_cast<std::uint32_t>(given.number("current-era", UINT32_MAX));
}

cli::exit_status unpack(const cli::arguments& given) {
  given.exclude("unpack", {"input", "all-written", "current-era"});
  cli::require_output(given);
  const cli::opened_text packed = cli::open_text(given.value("unpack"));
  const base::text_source& input = packed.source;
  pd::file_device device = cli::open_output(given, base::stat_of(input.fd, input.name));
  const pd::unpacked_blocks blocks = pd::unpack_blocks(input.fd, input.name);
  base::require_unchanged(input);
  base::progress_bar progress(cli::when_to_show_progress(given));
  era::write_unpacked(blocks, device, progress);
  return cli::exit_status::success;
}

cli::exit_status restore(const cli::arguments& given) {
  if (given.has("unpack")) {
    return unpack(given);
  }
  if (!given.has("input")) {
    throw base::usage_error("No input file provided.");
  }
  cli::require_output(given);  // before the input, which may be a fifo that is waited for
  const std::optional<std::uint32_t> era_to_be = new_era(given);
  const cli::opened_text text = cli::open_text(given.value("input"));
  const base::text_source& input = text.source;
  pd::file_device device = cli::open_output(given, base::stat_of(input.fd, input.name));
  era::metadata_builder building(device);
  era::all_written all_written(building, era_to_be);
  era::contents_sink& sink =
      given.has("all-written") ? static_cast<era::contents_sink&>(all_written) : building;
  const auto say = [&](const std::string& remark) {
    if (!given.has("quiet")) {
      base::say(remark);
    }
  };
  base::progress_bar progress(cli::when_to_show_progress(given));
  era::read_xml(input, sink, say, progress);
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, restore);
}
