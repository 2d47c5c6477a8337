// A live era device: where its metadata and its origin are, and what its status says. Tables and
// statuses are not trusted: what is not understood in full is refused. Thread safe as far as the
// devices asked are.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>

#include "device-mapper/devices.h"

namespace dm {

inline constexpr char era_target[] = "era";

struct era_device {
  std::string name;
  dev_t number = 0;
  std::string metadata;          // the path of its node
  std::string origin;            // the same
  std::uint64_t length = 0;      // sectors
  std::uint32_t block_size = 0;  // sectors
};

struct era_status {
  std::uint64_t used_blocks = 0;   // of the metadata
  std::uint64_t total_blocks = 0;  // of the metadata
  std::uint32_t current_era = 0;
  std::optional<std::uint64_t> held_snapshot;  // its block
};

// Throws what require_target() and node_of() do, and base::data_error for a table that is not
// understood.
era_device find_era_device(devices& among, const std::string& name_or_path);

// Looks at the state first. Throws base::io_error or base::data_error where the device has gone, is
// another one by now, is suspended, or has failed.
era_status status_of(devices& among, const era_device& device);
era_status status_of(devices& among, const live_target& device);

// The same as it stands there, of a target that has failed too.
target_line status_line_of(devices& among, const live_target& device);

}  // namespace dm
