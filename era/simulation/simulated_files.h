// The devices of a simulation as ordinary files, which the tools can read afterwards. What is
// written to metadata and not flushed stays in memory, so that a power cut can lose it. What is
// written to an origin survives: with the metadata older than the data, that is the harder case.
//
// A device that something else uses is refused, and a file that a loop device has attached.
//
// A file stays open, and is the same device, for as long as the object lives. Not thread safe.
#pragma once

#include <map>
#include <optional>

#include "era/simulation/simulator.h"
#include "persistent-data/faulty_device.h"
#include "persistent-data/file_device.h"

namespace era {

class simulated_files final : public simulated_devices {
 public:
  // The file must not be there yet.
  void make(const std::string& name, std::uint64_t nr_sectors) override;
  pd::block_device& metadata(const std::string& name) override;
  era::origin& origin(const std::string& name) override;
  void fail_power_after(std::uint64_t writes) override;
  bool has_power_failed() const override;
  void cut_power(std::uint64_t seed) override;

 private:
  struct metadata_file {
    explicit metadata_file(const std::string& name);
    pd::file_device file;
    pd::faulty_device device;
  };

  std::map<std::string, std::unique_ptr<metadata_file>> metadata_;
  std::map<std::string, std::unique_ptr<file_origin>> origins_;
  std::optional<std::uint64_t> power_left_;  // for metadata that is not open yet
};

}  // namespace era
