#include "live_device.h"

#include "../catch.h"

namespace kernel {

std::string live_device::run(const std::string& script) {
  const auto metadata_disk = guest_.add_disk(metadata());
  const auto origin_disk = guest_.add_disk(folder_ / "origin");
  for (const std::string& tool : harness::readers()) {
    guest_.take(harness::tool(tool));
  }
  guest_.take(harness::tool("era_message"));
  guest_.take(harness::tool("era_metadata_size"));
  const auto ended =
      guest_.run("metadata=" + metadata_disk + "\norigin=" + origin_disk + "\n" + script);
  INFO(ended.out);
  REQUIRE(ended.err == "");
  REQUIRE(ended.status == 0);
  return ended.out;
}

harness::result live_device::tell(const std::string& tool,
                                  std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), harness::tool(tool));
  arguments.push_back(metadata());
  return harness::run(arguments);
}

std::string part(const std::string& out, const std::string& title) {
  const auto begin = out.find("== " + title + "\n");
  REQUIRE(begin != std::string::npos);
  const auto first = out.find('\n', begin) + 1;
  const auto end = out.find("== ", first);
  return out.substr(first, end == std::string::npos ? end : end - first);
}

}  // namespace kernel
