#include "fuzzing/simulated_memory.h"

#include <algorithm>
#include <random>

namespace fuzz {

void simulated_memory::make(const std::string& name, std::uint64_t nr_sectors) {
  if (nr_sectors > most_sectors_) {
    throw base::io_error(name + ": No space left on device");
  }
  if (made_.contains(name)) {
    throw base::io_error(name + ": File exists");
  }
  made_.emplace(name, std::make_unique<device>(nr_sectors));
}

void simulated_memory::fail_power_after(std::uint64_t writes) {
  for (const auto& [name, made] : made_) {
    made->faulty.fail_after_writes(writes);
  }
}

bool simulated_memory::has_power_failed() const {
  return std::any_of(made_.begin(), made_.end(),
                     [](const auto& entry) { return entry.second->faulty.has_failed(); });
}

void simulated_memory::cut_power(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  for (const auto& [name, made] : made_) {
    made->faulty.cut_power(random);
  }
}

simulated_memory::device& simulated_memory::find(const std::string& name) const {
  const auto found = made_.find(name);
  if (found == made_.end()) {
    throw base::io_error(name + ": No such file or directory");
  }
  return *found->second;
}

}  // namespace fuzz
