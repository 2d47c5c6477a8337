// Turns a session of a schedule into a script for a guest, in the words of guest-lib.sh.
#pragma once

#include <cstddef>
#include <string>

#include "guest_schedule.h"

namespace kernel {

struct device_names {
  std::string metadata;  // /dev/vdb
  std::string origin;
};

// The device gets the schedule's name. Status lines are printed with it in front. A session that
// ends with a power cut leaves the device as it is.
std::string guest_script(const guest_schedule& schedule, std::size_t session,
                         const device_names& names);

}  // namespace kernel
