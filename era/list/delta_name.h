// What the states of a delta stream are called, so that deltas can be told to be in order:
// "era-17-1024x128" is the device, of 1024 data blocks of 128 sectors, with all that was written
// before era 17 (doc/delta.md). Thread safe: no state.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "era/list/since_state.h"

namespace era {

std::string delta_name(const since_state& state);

// Empty for what delta_name() can't have made. The current era is the latest that is certain: the
// one before that to ask for.
std::optional<since_state> parse_delta_name(std::string_view name);

}  // namespace era
