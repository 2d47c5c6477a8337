#include "device-mapper/devices.h"

#include <sys/stat.h>

#include <fstream>

#include "base/error.h"
#include "base/file_handle.h"

namespace dm {

std::string text_of(const target_line& line) {
  return std::to_string(line.start) + " " + std::to_string(line.length) + " " + line.type + " " +
         line.words;
}

live_target require_target(devices& from, const std::string& name_or_path,
                           const std::string& type) {
  const std::optional<device_state> state = from.find(name_or_path);
  if (!state) {
    throw base::io_error(name_or_path + ": no such device of the device mapper\n" +
                         "See 'dmsetup ls' for those that there are.");
  }
  const std::vector<target_line> table = from.table(state->name);
  if (table.size() != 1 || table.front().type != type) {
    std::string found;
    for (const target_line& line : table) {
      found += (found.empty() ? "" : ", ") + line.type;
    }
    throw base::data_error(state->name + ": not a device of the target " + type +
                           (found.empty() ? ", it has no table" : ", but of: " + found));
  }
  if (state->suspended) {
    throw base::data_error(state->name +
                           ": is suspended, and would not answer before it is resumed\n" +
                           "Resume it (dmsetup resume " + state->name + "), and start again.");
  }
  return {state->name, state->number, table.front()};
}

std::string node_of(const std::string& number) {
  std::ifstream facts("/sys/dev/block/" + number + "/uevent");
  const std::string key = "DEVNAME=";
  for (std::string line; std::getline(facts, line);) {
    if (!line.starts_with(key)) {
      continue;
    }
    const std::string path = "/dev/" + line.substr(key.size());
    struct stat info {};
    if (::stat(path.c_str(), &info) == 0 && S_ISBLK(info.st_mode) &&
        base::number_text(info.st_rdev) == number) {
      return path;
    }
  }
  throw base::io_error("the device " + number + " has no node in /dev");
}

}  // namespace dm
