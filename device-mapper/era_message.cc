#include "device-mapper/era_message.h"

#include <algorithm>

#include "base/error.h"
#include "base/text.h"

namespace dm {
namespace {

// In the kernel's words, which it leaves in its log and does not send back.
void require_taken(const live_target& device, const era_status& status, era_message message) {
  if (message == era_message::take_metadata_snap && status.held_snapshot) {
    throw base::data_error(device.name + ": metadata snapshot already exists\n" +
                           "If nobody uses it any more, " +
                           text_of(era_message::drop_metadata_snap) + " drops it.");
  }
  if (message == era_message::drop_metadata_snap && !status.held_snapshot) {
    throw base::data_error(device.name + ": no snap to drop\n" + "No metadata snapshot is held.");
  }
}

}  // namespace

const char* text_of(era_message message) {
  switch (message) {
    case era_message::take_metadata_snap:
      return "take_metadata_snap";
    case era_message::drop_metadata_snap:
      return "drop_metadata_snap";
    case era_message::checkpoint:
      break;
  }
  return "checkpoint";
}

std::optional<era_message> era_message_named(const std::string& text) {
  const std::string wanted = base::in_lower_case(text);
  const auto* const found =
      std::find_if(all_era_messages.begin(), all_era_messages.end(),
                   [&](era_message message) { return wanted == text_of(message); });
  return found == all_era_messages.end() ? std::nullopt : std::optional(*found);
}

void send(devices& to, const std::string& name_or_path, era_message message) {
  const live_target device = require_target(to, name_or_path, era_target);
  require_taken(device, status_of(to, device), message);
  try {
    to.message(device.name, text_of(message));
  } catch (const base::io_error&) {
    // Somebody else may have been faster, or the metadata is full.
    require_taken(device, status_of(to, device), message);
    throw;
  }
}

}  // namespace dm
