#include "nbdkit/server.h"

#include <unistd.h>

#include <cerrno>

#include "base/number.h"
#include "base/storage.h"
#include "era/report/sizes.h"

namespace served {
namespace {

constexpr const char* not_live = "Deactivate the device that uses it first.";

// What else would be recorded twice, or in two places.
disk_file open_disk(const server_options& options) {
  using access = disk_file::access;
  disk_file disk(options.origin, options.read_only ? access::read_only : access::read_write);
  if (disk.size() == 0 || disk.size() % era::sector_bytes != 0) {
    throw base::data_error(disk.name() + ": has " + std::to_string(disk.size()) +
                           " bytes, not a positive multiple of 512\n"
                           "Give it the size of a disk (truncate -s SIZE).");
  }
  return disk;
}

std::string advice_on_missing(const server_options& options, std::uint64_t disk_bytes) {
  const std::uint64_t block_bytes = options.block_bytes.value_or(65536);
  const std::uint64_t nr_blocks = base::ceil_div(disk_bytes, block_bytes);
  if (nr_blocks > era::max_data_blocks) {
    return "";
  }
  const pd::block_nr blocks = era::sizes_of({nr_blocks, 16, true}).recommended;
  return "Make it with metadata-size=" + base::short_size(blocks * pd::block_size) +
         "; era_metadata_size says what other sizes are good for.";
}

pd::file_device open_metadata(const server_options& options, std::uint64_t disk_bytes) {
  const std::string& path = options.metadata;
  if (options.read_only) {
    return pd::file_device::open_for_reading(path, pd::file_device::sharing::exclusive, not_live);
  }
  const bool is_missing = ::access(path.c_str(), F_OK) != 0 && errno == ENOENT;
  if (is_missing && options.metadata_bytes) {
    base::make_storage(path, *options.metadata_bytes, base::making::filled);
  }
  pd::file_device device =
      pd::file_device::open_for_writing(path, advice_on_missing(options, disk_bytes));
  if (options.metadata_bytes && device.size_in_bytes() != *options.metadata_bytes) {
    throw base::data_error(path + ": is there already, and has " +
                           std::to_string(device.size_in_bytes()) + " bytes, not " +
                           std::to_string(*options.metadata_bytes) +
                           "\nmetadata-size is for new metadata; leave it out.");
  }
  return device;
}

// Of metadata that is there; of new metadata nothing but what is asked for.
std::uint32_t block_sectors_of(pd::file_device& metadata, const server_options& options) {
  era::metadata_file file(metadata);
  if (!file.is_unformatted()) {
    era::strict_sink strict(metadata.name());
    const std::uint32_t stored = file.read_superblock(0, strict).value().data_block_size;
    if (options.block_bytes && *options.block_bytes != stored * era::sector_bytes) {
      throw base::data_error(metadata.name() + ": has data blocks of " +
                             std::to_string(stored * era::sector_bytes) + " bytes, not " +
                             std::to_string(*options.block_bytes) +
                             "\nThat can't be changed: leave block-size out, or begin with new "
                             "metadata.");
    }
    return stored;
  }
  const std::string other = metadata.content();
  if (!other.empty()) {
    throw base::data_error(metadata.name() + ": this looks like " + other +
                           ", not era metadata; nothing was written\nGive the metadata device.");
  }
  if (options.read_only) {
    throw base::data_error(metadata.name() +
                           ": holds no metadata yet, and what is read only makes none.");
  }
  if (!options.block_bytes) {
    throw base::data_error(metadata.name() +
                           ": is new metadata\nGive a block-size, such as block-size=64k.");
  }
  return static_cast<std::uint32_t>(*options.block_bytes / era::sector_bytes);
}

// The plugin moves the data itself.
class size_of_disk final : public era::origin {
 public:
  explicit size_of_disk(const disk_file& disk) : disk_(disk) {}
  const std::string& name() const override { return disk_.name(); }
  std::uint64_t nr_sectors() const override { return disk_.size() / era::sector_bytes; }
  void read(std::uint64_t /*sector*/, std::span<std::byte> /*into*/) override { refuse(); }
  void write(std::uint64_t /*sector*/, std::span<const std::byte> /*from*/) override { refuse(); }
  void discard(std::uint64_t /*sector*/, std::uint64_t /*nr_sectors*/) override { refuse(); }
  void flush() override { refuse(); }

 private:
  [[noreturn]] static void refuse() {
    throw std::logic_error("requests do not go by way of the target");
  }
  const disk_file& disk_;
};

}  // namespace

class server::devices final : public era::device_finder {
 public:
  devices(pd::block_device& metadata, const disk_file& disk) : metadata_(metadata), origin_(disk) {}
  pd::block_device& metadata(const std::string& /*name*/) override { return metadata_; }
  era::origin& origin(const std::string& /*name*/) override { return origin_; }

 private:
  pd::block_device& metadata_;
  size_of_disk origin_;
};

server::server(const server_options& options, std::function<void(const std::string&)> report)
    : options_(options),
      report_(std::move(report)),
      disk_(open_disk(options)),
      metadata_(open_metadata(options, disk_.size())) {
  block_bytes_ = block_sectors_of(metadata_, options) * era::sector_bytes;
  if (!options_.control.empty()) {
    control_ = std::make_unique<control_socket>(options_.control);
  }
  if (!options_.read_only) {
    open_target();
  }
  forget_queues();
}

server::~server() = default;

void server::open_target() {
  second_ = std::make_unique<pd::file_device>(metadata_.reopen_for_reading());
  devices_ = std::make_unique<devices>(metadata_, disk_);
  const era::table_line line{disk_.size() / era::sector_bytes, options_.metadata, options_.origin,
                             std::to_string(block_bytes_ / era::sector_bytes)};
  target_ = std::make_unique<era::target>(line, *devices_);
  target_->resume();
  serving_ = std::make_unique<served_target>(*target_, report_);
  deltas_ = std::make_unique<delta_exports>(*serving_, *second_, disk_.size(), report_);
}

void server::forget_queues() {
  metadata_.forget_queue();
  if (second_) {
    second_->forget_queue();
  }
}

void server::start() {
  if (serving_) {
    serving_->start();
  }
  if (control_) {
    control_->start([this](const std::string& line) { return answer(line); });
  }
}

void server::stop() {
  if (control_) {
    control_->stop();
  }
  if (serving_) {
    deltas_->drop_snapshot();
    serving_->stop();
    target_->suspend();
  }
}

std::unique_ptr<server::listing> server::open_list(std::string_view export_name) {
  const era_window window = window_of(export_name);
  auto opened = std::make_unique<listing>();
  if (deltas_) {
    opened->opened_ = deltas_->open(window);
  } else {
    pd::file_device metadata = pd::file_device::open_for_reading(
        options_.metadata, pd::file_device::sharing::exclusive, not_live);
    opened->own_ = std::make_unique<const era::written_list>(
        list_of(metadata, era::metadata_state::live, window, disk_.size()));
  }
  return opened;
}

std::string server::status() {
  std::string line;
  if (serving_) {
    serving_->call(served_target::writes::go_on,
                   [&](era::target& target) { line = target.status_info(); });
    return line;
  }
  era::metadata_file file(metadata_);
  era::strict_sink strict(metadata_.name());
  const era::superblock live = file.read_superblock(0, strict).value();
  return era::status_line(disk_.size() / era::sector_bytes, live.space_map.nr_allocated,
                          live.space_map.nr_blocks, live);
}

std::string server::table() const {
  return "0 " + std::to_string(disk_.size() / era::sector_bytes) + " era " + options_.metadata +
         " " + options_.origin + " " + std::to_string(block_bytes_ / era::sector_bytes);
}

std::string server::answer(std::string_view line) {
  constexpr std::string_view message = "message ";
  if (line == "status") {
    return status();
  }
  if (line == "table") {
    return table();
  }
  if (line.starts_with(message)) {
    if (!deltas_) {
      throw era::refused("the metadata is served read only");
    }
    deltas_->message(line.substr(message.size()));
    return "ok";
  }
  throw era::refused("expected status, table, or message and a message",
                     "not '" + std::string(line.substr(0, 64)) + "'");
}

}  // namespace served
