#include "era/simulation/simulated_files.h"

#include <algorithm>

#include "base/in_use.h"
#include "base/storage.h"

namespace era {
namespace {

constexpr std::size_t most_unflushed = 1024;  // blocks

// Who writes to such a file writes into a device that others may have mounted.
std::string not_attached(const std::string& name) {
  base::refuse_attached(base::stat_path(name), name);
  return name;
}

}  // namespace

simulated_files::metadata_file::metadata_file(const std::string& name)
    : file(pd::file_device::open_for_writing(name)), device(file) {
  device.keep_at_most(most_unflushed);
}

void simulated_files::make(const std::string& name, std::uint64_t nr_sectors) {
  base::make_storage(name, nr_sectors * sector_bytes, base::making::sparse);
}

pd::block_device& simulated_files::metadata(const std::string& name) {
  auto entry = metadata_.find(name);
  if (entry == metadata_.end()) {
    entry = metadata_.emplace(name, std::make_unique<metadata_file>(not_attached(name))).first;
    if (power_left_) {
      entry->second->device.fail_after_writes(*power_left_);
    }
  }
  return entry->second->device;
}

era::origin& simulated_files::origin(const std::string& name) {
  auto entry = origins_.find(name);
  if (entry == origins_.end()) {
    entry = origins_.emplace(name, std::make_unique<file_origin>(not_attached(name))).first;
  }
  return *entry->second;
}

void simulated_files::fail_power_after(std::uint64_t writes) {
  power_left_ = writes;
  for (const auto& [name, entry] : metadata_) {
    entry->device.fail_after_writes(writes);
  }
}

bool simulated_files::has_power_failed() const {
  return power_left_ && std::any_of(metadata_.begin(), metadata_.end(), [](const auto& entry) {
           return entry.second->device.has_failed();
         });
}

void simulated_files::cut_power(std::uint64_t seed) {
  power_left_.reset();
  std::mt19937_64 random(seed);
  for (const auto& [name, entry] : metadata_) {
    entry->device.cut_power(random);
  }
}

}  // namespace era
