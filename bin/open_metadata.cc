#include "bin/open_metadata.h"

#include "base/content.h"
#include "base/error.h"

namespace cli {
namespace {

void refuse_other_files(pd::file_device& device, const std::string& tool) {
  const std::string head = device.first_bytes();
  const bool whole = head.size() == pd::block_size;
  if (whole && era::has_sound_checksum(reinterpret_cast<const std::byte*>(head.data()))) {
    return;
  }
  if (base::looks_like_xml(head)) {
    throw base::data_error(device.name() + ": This looks like XML.  " + tool +
                           " only reads the binary metadata format.\n" +
                           "Make metadata of it with era_restore.");
  }
  if (!whole) {
    throw base::data_error(device.name() +
                           ": Metadata device/file too small.  Is this binary metadata?");
  }
}

}  // namespace

era::metadata_state state_to_read(const arguments& given) {
  return given.has("metadata-snapshot") ? era::metadata_state::snapshot : era::metadata_state::live;
}

pd::file_device open_metadata(const std::string& path, const std::string& tool,
                              era::metadata_state which) {
  using sharing = pd::file_device::sharing;
  pd::file_device device = pd::file_device::open_for_reading(
      path, which == era::metadata_state::snapshot ? sharing::shared : sharing::exclusive,
      "Deactivate the device that uses it, or, on a live era device, take a metadata snapshot\n"
      "(dmsetup message DEVICE 0 take_metadata_snap) and use --metadata-snapshot.");
  refuse_other_files(device, tool);
  return device;
}

}  // namespace cli
