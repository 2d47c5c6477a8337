#include "bin/metadata_source.h"

#include "base/error.h"
#include "base/number.h"
#include "era/read/metadata_file.h"

namespace cli {
namespace {

constexpr std::uint64_t bytes_of_sector = 512;

// The era that began when the snapshot in that block was taken; none if it can't be read.
std::optional<std::uint32_t> era_of_snapshot(pd::block_device& metadata, std::uint64_t block) {
  era::metadata_file file(metadata);
  era::strict_sink strict(metadata.name());
  try {
    return file.read_superblock(block, strict).value().current_era;
  } catch (const base::error&) {
    return std::nullopt;
  }
}

[[noreturn]] void refuse_held(const dm::snapshot_held& found, pd::block_device& metadata) {
  const dm::era_status& status = found.status();
  const auto era = era_of_snapshot(metadata, status.held_snapshot.value());
  std::string message = found.what();
  if (era && *era <= status.current_era) {
    message += ", taken " + base::counted(status.current_era - *era, "era") + " ago";
  }
  throw base::data_error(message +
                         "\nIf nobody uses it any more, --replace-snapshot drops it first.");
}

}  // namespace

void require_source(const arguments& given) {
  if (!given.has("live")) {
    given.device_or_file();
    for (const char* const name : {"keep", "replace-snapshot"}) {
      if (given.has(name)) {
        throw base::usage_error(std::string("option '--") + name + "' goes with --live NAME only.");
      }
    }
    return;
  }
  if (given.has_input()) {
    throw base::usage_error("'" + given.input() +
                            "' and --live: give a device or file, or a live device.");
  }
  if (given.has("metadata-snapshot")) {
    throw base::usage_error(
        "--live takes a metadata snapshot of its own; leave --metadata-snapshot out.");
  }
}

struct metadata_source::live {
  explicit live(const std::string& name)
      : devices(dm::system_devices()), device(dm::find_era_device(*devices, name)) {}

  void take(const dm::snapshot_options& how, pd::block_device& metadata) {
    try {
      snapshot.emplace(*devices, device, how);
    } catch (const dm::snapshot_held& found) {
      refuse_held(found, metadata);
    }
  }

  std::unique_ptr<dm::devices> devices;
  dm::era_device device;
  std::optional<dm::held_snapshot> snapshot;
};

metadata_source::metadata_source(const arguments& given, const command& tool)
    : metadata_source(given, tool, find_live(given)) {}

metadata_source::metadata_source(const arguments& given, const command& tool,
                                 std::unique_ptr<live> from)
    : live_(std::move(from)),
      state_(live_ ? era::metadata_state::snapshot : state_to_read(given)),
      device_(open_metadata(live_ ? live_->device.metadata : given.device_or_file(), tool.name,
                            state_)),
      keep_(given.has("keep")) {
  if (live_) {
    live_->take({given.has("replace-snapshot"), given.has("quiet")}, device_);
  }
}

metadata_source::~metadata_source() = default;

std::unique_ptr<metadata_source::live> metadata_source::find_live(const arguments& given) {
  return given.has("live") ? std::make_unique<live>(given.value("live")) : nullptr;
}

std::optional<std::uint64_t> metadata_source::live_bytes() const {
  return live_ ? std::optional(live_->device.length * bytes_of_sector) : std::nullopt;
}

std::optional<dev_t> metadata_source::live_number() const {
  return live_ ? std::optional(live_->device.number) : std::nullopt;
}

void metadata_source::finish() {
  device_.require_unchanged();
  if (live_ && live_->snapshot) {
    if (keep_) {
      live_->snapshot->keep();
    } else {
      live_->snapshot->drop();
    }
  }
}

}  // namespace cli
