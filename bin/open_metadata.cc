#include "bin/open_metadata.h"

#include "base/content.h"
#include "base/error.h"
#include "base/in_use.h"

namespace cli {
namespace {

void refuse_other_files(pd::file_device& device, const std::string& tool) {
  const std::optional<std::string> head = device.first_bytes_if_readable();
  const bool whole = head && head->size() == pd::block_size;
  if (!head ||
      (whole && era::has_sound_checksum(reinterpret_cast<const std::byte*>(head->data())))) {
    return;
  }
  if (base::looks_like_xml(*head)) {
    throw base::data_error(device.name() + ": This looks like XML.  " + tool +
                           " only reads the binary metadata format.\n" +
                           "Make metadata of it with era_restore.");
  }
  if (!whole) {
    refuse_too_small(device);
  }
}

// Something else is only written over if that is wanted.
void refuse_foreign(pd::file_device& device) {
  const std::string head = device.first_bytes();
  if (head.size() < pd::block_size) {
    return;  // too small, which is said where the size that is needed is known
  }
  const std::string foreign =
      era::foreign_content(reinterpret_cast<const std::byte*>(head.data()), device.content());
  if (!foreign.empty()) {
    throw base::data_error(device.name() + ": this looks like " + foreign +
                           ", not era metadata; nothing was written\n"
                           "Give the metadata device, or write over it with --force.");
  }
}

}  // namespace

void refuse_too_small(const pd::file_device& device) {
  throw base::data_error(device.name() +
                         ": Metadata device/file too small.  Is this binary metadata?");
}

era::metadata_state state_to_read(const arguments& given) {
  return given.has("metadata-snapshot") ? era::metadata_state::snapshot : era::metadata_state::live;
}

pd::file_device open_metadata(const std::string& path, const std::string& tool,
                              era::metadata_state which) {
  using sharing = pd::file_device::sharing;
  pd::file_device device = pd::file_device::open_perhaps_packed(
      path, which == era::metadata_state::snapshot ? sharing::shared : sharing::exclusive,
      "Deactivate the device that uses it; or, if that is a live era device, name it (--live "
      "NAME),\n"
      "or take a metadata snapshot (dmsetup message DEVICE 0 take_metadata_snap) and use "
      "--metadata-snapshot.");
  refuse_other_files(device, tool);
  return device;
}

void require_output(const arguments& given) {
  if (!given.has("output")) {
    throw base::usage_error("No output file provided.");
  }
}

pd::file_device open_output(const arguments& given, const struct stat& input) {
  require_output(given);
  const std::string path = given.value("output");
  struct stat output {};
  if (::stat(path.c_str(), &output) == 0) {
    base::refuse_input(output, path, input);
  }
  pd::file_device device = pd::file_device::open_for_writing(
      path, "The output must exist and be large enough; truncate -s makes a file.");
  if (!given.has("force")) {
    refuse_foreign(device);
  }
  return device;
}

}  // namespace cli
