#include <fcntl.h>

#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file_handle.h"
#include "base/storage.h"
#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "device-mapper/era_device.h"
#include "era/format/superblock.h"
#include "era/report/metadata_standing.h"
#include "era/report/size_report.h"

namespace {

constexpr cli::command command{
    "era_metadata_size",
    "[options] --device-size SIZE|--device DEVICE|--used METADATA|--live NAME",
    "Says how large the metadata of an era device has to be, or how full it is.",
    {{0, "device-size", "SIZE", "of a device of SIZE (bytes, or 100s, 64k, 1M, 8G, 2T)"},
     {0, "device", "DEVICE", "of a device as large as DEVICE, a device or file"},
     {0, "block-size", "SIZE", "with data blocks of SIZE; if not given, a table of sizes"},
     {0, "used", "METADATA", "how full METADATA is, a device or file, and what it has room for"},
     {0, "live", "NAME", "the same of the live era device NAME, by its status"},
     cli::metadata_snapshot_option("with --used: the device may be live"),
     {0, "writesets", "N", "room for N writesets that are not yet digested; 16 if not given"},
     {0, "snapshot", nullptr, "and for a metadata snapshot that is held"},
     {0, "format", "FORMAT", "form of the answer: text (default) or json"},
     cli::output_option},
    0};

constexpr std::uint64_t usual_writesets = 16;

std::uint64_t writesets_of(const cli::arguments& given) {
  return given.has("writesets") ? given.number("writesets", UINT32_MAX) : usual_writesets;
}

std::uint64_t device_bytes(const cli::arguments& given) {
  if (given.has("device-size")) {
    return given.size("device-size");
  }
  const std::string path = given.value("device");
  const base::file_handle device = base::open_storage(path, {O_RDONLY});
  const std::uint64_t bytes = base::size_in_bytes(device.fd(), path);
  if (bytes < era::sector_bytes) {
    throw base::data_error(path + ": has not even one sector");
  }
  return bytes / era::sector_bytes * era::sector_bytes;
}

std::uint64_t block_bytes(const cli::arguments& given) {
  const std::uint64_t bytes = given.size("block-size");
  const std::uint64_t sectors = bytes / era::sector_bytes;
  if (!era::is_data_block_size(sectors) || sectors > UINT32_MAX) {
    throw base::usage_error("option '--block-size': " + given.value("block-size") +
                            " is not a multiple of 4k below 2T, as dm-era wants it.");
  }
  return bytes;
}

void print_sizes(const cli::arguments& given, bool as_json, base::output& out) {
  const era::size_question question{device_bytes(given), writesets_of(given),
                                    given.has("snapshot")};
  std::vector<era::size_answer> found;
  if (given.has("block-size")) {
    found.push_back(era::answer(question, block_bytes(given)));
  } else {
    found = era::answers_of_all(question);
  }
  if (as_json) {
    era::print_sizes_json(question, found, out);
  } else if (given.has("block-size")) {
    era::print_size_text(question, found.front(), out);
  } else {
    era::print_size_table(question, found, out);
  }
}

era::metadata_use use_of_live(const std::string& name) {
  const auto devices = dm::system_devices();
  const dm::era_device device = dm::find_era_device(*devices, name);
  const dm::era_status status = dm::status_of(*devices, device);
  era::metadata_use use;
  use.name = device.name;
  use.used = status.used_blocks;
  use.total = status.total_blocks;
  use.current_era = status.current_era;
  use.snapshot = status.held_snapshot.has_value();
  use.nr_blocks = base::ceil_div(device.length, device.block_size);
  use.block_bytes = device.block_size * era::sector_bytes;
  return use;
}

era::metadata_use use_of(pd::file_device& device, era::metadata_state which) {
  era::metadata_file file(device);
  const era::metadata_standing found = era::standing_of(file, which);
  era::metadata_use use;
  use.name = found.file;
  use.used = found.used_blocks();
  use.total = found.total_blocks();
  use.current_era = found.live.current_era;
  use.archived = found.archived.size();
  use.snapshot = found.holds_snapshot();
  use.nr_blocks = found.live.nr_blocks;
  use.block_bytes = found.live.data_block_size * era::sector_bytes;
  return use;
}

era::metadata_use use_of(const cli::arguments& given) {
  if (given.has("live")) {
    return use_of_live(given.value("live"));
  }
  const era::metadata_state which = cli::state_to_read(given);
  pd::file_device device = cli::open_metadata(given.value("used"), command.name, which);
  const era::metadata_use use = use_of(device, which);
  device.require_unchanged();
  return use;
}

void print_use(const cli::arguments& given, bool as_json, base::output& out) {
  era::metadata_use use = use_of(given);
  use.writesets = writesets_of(given);
  use.is_for_snapshot = use.snapshot || given.has("snapshot");
  as_json ? era::print_use_json(use, out) : era::print_use_text(use, out);
}

void check_combinations(const cli::arguments& given) {
  if (!given.has("device-size") && !given.has("device") && !given.has("used") &&
      !given.has("live")) {
    throw base::usage_error("Of what? Please give --device-size, --device, --used or --live.");
  }
  given.exclude("device-size", {"device", "used", "live"});
  given.exclude("device", {"used", "live"});
  given.exclude("used", {"live", "block-size"});
  given.exclude("live", {"block-size"});
  if (given.has("metadata-snapshot") && !given.has("used")) {
    throw base::usage_error("--metadata-snapshot goes with --used METADATA only.");
  }
}

cli::exit_status print(const cli::arguments& given) {
  check_combinations(given);
  const bool as_json = given.choice("format", {"text", "json"}) == "json";
  base::output out(given.value("output", "-"), given.value("used", given.value("device")));
  if (given.has("used") || given.has("live")) {
    print_use(given, as_json, out);
  } else {
    print_sizes(given, as_json, out);
  }
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, print);
}
