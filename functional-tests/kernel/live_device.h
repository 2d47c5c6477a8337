// An era device's two disks, and scripts in a guest that have the tools which read metadata at
// hand. Not safe for threads.
#pragma once

#include <string>
#include <vector>

#include "../harness.h"
#include "guest.h"

namespace kernel {

class live_device {
 public:
  // Bytes of the origin's disk. That of the metadata the test makes.
  static constexpr std::uint64_t origin_bytes = 64 << 20;

  live_device() { harness::make_zeroed(folder_ / "origin", origin_bytes); }

  std::string metadata() const { return folder_ / "metadata"; }
  std::string operator/(const std::string& name) const { return folder_ / name; }

  // What the script printed, which finds the disks as $metadata and $origin and must succeed.
  std::string run(const std::string& script);

  // Runs a tool on the metadata, outside of the guest.
  harness::result tell(const std::string& tool, std::vector<std::string> arguments) const;

 private:
  harness::temporary_folder folder_;
  guest guest_;
};

// What was printed between the line "== TITLE" and the next such line, or the end.
std::string part(const std::string& out, const std::string& title);

}  // namespace kernel
