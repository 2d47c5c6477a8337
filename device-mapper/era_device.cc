#include "device-mapper/era_device.h"

#include <vector>

#include "base/error.h"
#include "base/number.h"
#include "device-mapper/word_reader.h"

namespace dm {
namespace {

constexpr std::uint32_t sectors_of_smallest_block = 8;

era_status parse_status(const std::string& name, const std::string& text) {
  word_reader words(name + ": its status is not understood", text);
  era_status status;
  words.number(UINT32_MAX);  // the metadata's block size
  const number_pair blocks = words.pair();
  status.used_blocks = blocks.first;
  status.total_blocks = blocks.second;
  status.current_era = static_cast<std::uint32_t>(words.number(UINT32_MAX));
  const std::string held = words.next();
  status.held_snapshot = base::parse_number(held, UINT64_MAX);
  words.require_end();
  if (blocks.first > blocks.second || (!status.held_snapshot && held != "-")) {
    words.refuse();
  }
  return status;
}

target_line find_status_line(devices& among, const std::string& name, dev_t number) {
  if (require_target(among, name, era_target).number != number) {
    throw base::data_error(name + ": is another device by now");
  }
  const std::vector<target_line> lines = among.status(name);
  if (lines.size() != 1) {
    throw base::data_error(name + ": its status is not understood: it has " +
                           base::counted(lines.size(), "line"));
  }
  return lines.front();
}

era_status find_status(devices& among, const std::string& name, dev_t number) {
  const std::string words = find_status_line(among, name, number).words;
  if (words == "Error" || words == "Fail") {
    throw base::data_error(name + ": the target has failed, its status is " + words +
                           "\nIts metadata cannot be read or has no room left: deactivate it, "
                           "and look at its metadata with era_check.");
  }
  return parse_status(name, words);
}

}  // namespace

era_device find_era_device(devices& among, const std::string& name_or_path) {
  const live_target found = require_target(among, name_or_path, era_target);
  word_reader words(found.name + ": its table is not understood", found.table.words);
  const std::string metadata = words.device();
  const std::string origin = words.device();
  const auto block_size = static_cast<std::uint32_t>(words.number(UINT32_MAX));
  words.require_end();
  if (found.table.start != 0 || block_size == 0 || block_size % sectors_of_smallest_block != 0) {
    words.refuse();
  }
  return {found.name,      found.number,       node_of(metadata),
          node_of(origin), found.table.length, block_size};
}

era_status status_of(devices& among, const era_device& device) {
  return find_status(among, device.name, device.number);
}

era_status status_of(devices& among, const live_target& device) {
  return find_status(among, device.name, device.number);
}

target_line status_line_of(devices& among, const live_target& device) {
  return find_status_line(among, device.name, device.number);
}

}  // namespace dm
