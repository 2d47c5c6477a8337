// Holds the tools against the model of a device: do they read in the metadata that a kernel left
// exactly what was done to it?
//
// Works on files; no guest is needed.
#pragma once

#include <string>
#include <vector>

#include "guest_model.h"
#include "guest_schedule.h"

namespace kernel {

// All that is wrong, in words; empty if nothing is. Asks era_check, era_dump (plain and --logical)
// and era_invalidate (for every era, XML and JSON), of the live state and of the snapshot, or for
// a refusal where there is none. `end` is how the last session did.
std::vector<std::string> metadata_troubles(const std::string& path, std::uint32_t block_size,
                                           const guest_model& model, ending end);

// Compares the status lines that a session has printed with the model that ran it.
std::vector<std::string> status_troubles(const std::string& output, const std::string& name,
                                         const std::vector<guest_model::status>& expected);

}  // namespace kernel
