// The devices of a simulation in memory: metadata from which a power cut can take what was not
// flushed, and origins that keep nothing. Not thread safe.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "era/simulation/simulator.h"
#include "fuzzing/hollow_origin.h"
#include "fuzzing/sparse_device.h"
#include "persistent-data/faulty_device.h"

namespace fuzz {

class simulated_memory final : public era::simulated_devices {
 public:
  // No device may have more sectors.
  explicit simulated_memory(std::uint64_t most_sectors) : most_sectors_(most_sectors) {}

  void make(const std::string& name, std::uint64_t nr_sectors) override;
  pd::block_device& metadata(const std::string& name) override { return find(name).faulty; }
  era::origin& origin(const std::string& name) override { return find(name).data; }
  void fail_power_after(std::uint64_t writes) override;
  bool has_power_failed() const override;
  void cut_power(std::uint64_t seed) override;

  // What is on stable storage. Throws base::io_error if there is no such device.
  sparse_device& stable(const std::string& name) { return find(name).stable; }

  // Calls visit(device) for the stable storage of each.
  template <typename Visit>
  void for_each(Visit visit) {
    for (auto& [name, made] : made_) {
      visit(made->stable);
    }
  }

 private:
  // Each may serve as metadata and as origin; the two have nothing in common.
  struct device {
    explicit device(std::uint64_t nr_sectors)
        : stable(nr_sectors / era::metadata_block_sectors), data(nr_sectors) {}
    sparse_device stable;
    pd::faulty_device faulty{stable};
    era::test::hollow_origin data;
  };

  device& find(const std::string& name) const;

  std::uint64_t most_sectors_;
  std::map<std::string, std::unique_ptr<device>> made_;
};

}  // namespace fuzz
