// The messages that a live era device takes. Thread safe as far as the devices asked are.
#pragma once

#include <array>
#include <optional>
#include <string>

#include "device-mapper/era_device.h"

namespace dm {

enum class era_message { checkpoint, take_metadata_snap, drop_metadata_snap };

inline constexpr std::array all_era_messages = {
    era_message::checkpoint, era_message::take_metadata_snap, era_message::drop_metadata_snap};

// As it is sent.
const char* text_of(era_message message);

// The message of this name, in any case, as the kernel reads it; none if there is none.
std::optional<era_message> era_message_named(const std::string& text);

// Sends a message to the live era device of this name. The state and the status are looked at
// first: nothing is sent to what require_target() throws for, or what would refuse it. Throws
// base::io_error or base::data_error, with what was wrong as far as the status says it.
void send(devices& to, const std::string& name_or_path, era_message message);

}  // namespace dm
