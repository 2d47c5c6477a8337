#include "library/opened_metadata.h"

#include <algorithm>

#include "era/read/plausibility.h"

namespace library {
namespace {

constexpr const char* if_busy =
    "Deactivate the device that uses it, or open the live device or a metadata snapshot.";

pd::file_device open_device(const std::string& path, era::metadata_state which) {
  using sharing = pd::file_device::sharing;
  return pd::file_device::open_perhaps_packed(
      path, which == era::metadata_state::snapshot ? sharing::shared : sharing::exclusive, if_busy);
}

}  // namespace

struct opened_metadata::live {
  explicit live(const std::string& name)
      : devices(dm::system_devices()), device(dm::find_era_device(*devices, name)) {}

  std::unique_ptr<dm::devices> devices;
  dm::era_device device;
  std::optional<dm::held_snapshot> snapshot;
};

// All of it was read once, and is sound.
struct opened_metadata::verified_state {
  verified_state(era::metadata of, era::problem_sink& sink)
      : loaded(std::move(of)), eras(loaded, sink) {}

  era::metadata loaded;
  era::era_reader eras;
};

std::unique_ptr<opened_metadata> opened_metadata::open(const std::string& path,
                                                       era::metadata_state which) {
  return std::unique_ptr<opened_metadata>(
      new opened_metadata(nullptr, open_device(path, which), which));
}

std::unique_ptr<opened_metadata> opened_metadata::open_live(const std::string& name,
                                                            bool replace_snapshot) {
  constexpr auto which = era::metadata_state::snapshot;
  auto device = std::make_unique<live>(name);
  pd::file_device metadata = open_device(device->device.metadata, which);
  device->snapshot.emplace(*device->devices, device->device,
                           dm::snapshot_options{replace_snapshot, true});
  return std::unique_ptr<opened_metadata>(
      new opened_metadata(std::move(device), std::move(metadata), which));
}

opened_metadata::opened_metadata(std::unique_ptr<live> device, pd::file_device metadata,
                                 era::metadata_state which)
    : live_(std::move(device)),
      device_(std::move(metadata)),
      file_(device_),
      strict_(device_.name()),
      loaded_(file_.load(which, strict_)) {
  require_sound();
}

opened_metadata::~opened_metadata() = default;

void opened_metadata::close() {
  if (live_) {
    live_->snapshot->drop();
  }
}

// What was read is of one state, and still there.
void opened_metadata::require_sound() {
  file_.require_held(loaded_);
  device_.require_unchanged();
}

std::uint32_t opened_metadata::next_since() const {
  return era::next_since_of(loaded_);
}

std::uint64_t opened_metadata::device_bytes() const {
  const era::superblock& found = loaded_.superblock;
  return live_ ? live_->device.length * era::sector_bytes
               : era::geometry(found.data_block_size, found.nr_blocks).bytes_of(found.nr_blocks);
}

era::written_list opened_metadata::changes_since(std::uint32_t since, std::uint64_t device_bytes) {
  base::no_progress progress;
  era::written_list list =
      era::list_written_blocks(file_, loaded_.state, {since, {}, {}}, strict_, progress);
  if (device_bytes > 0 || live_) {
    era::end_with_origin(list, device_bytes > 0 ? device_bytes : this->device_bytes());
  }
  require_sound();
  return list;
}

std::unique_ptr<opened_metadata::verified_state> opened_metadata::verified() {
  auto state = std::make_unique<verified_state>(file_.load(loaded_.state, strict_), strict_);
  era::report_missing_eras(state->loaded, 0, strict_);
  base::no_progress progress;
  state->eras.verify(era::era_reader::extent::device, progress);
  return state;
}

void opened_metadata::last_written(std::uint64_t first, std::span<std::uint32_t> eras) {
  constexpr std::uint64_t window = era::era_reader::window;
  // Where it fails, nothing of it is trusted the next time.
  auto state = verified_ ? std::move(verified_) : verified();
  for (std::uint64_t done = 0; done < eras.size();) {
    const std::uint64_t at = first + done;
    const std::uint64_t begin = at / window * window;
    window_.resize(std::min<std::uint64_t>(window, superblock().nr_blocks - begin));
    state->eras.last_written(begin, window_);
    const std::uint64_t count =
        std::min<std::uint64_t>(eras.size() - done, begin + window_.size() - at);
    std::copy_n(window_.begin() + static_cast<std::ptrdiff_t>(at - begin), count,
                eras.begin() + static_cast<std::ptrdiff_t>(done));
    done += count;
  }
  require_sound();
  verified_ = std::move(state);
}

}  // namespace library
