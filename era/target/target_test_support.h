// Devices in memory for tests of the era target and its simulation. Not thread safe.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "era/check/check.h"
#include "era/read/era_reader.h"
#include "era/read/metadata_test_support.h"
#include "era/simulation/era_model.h"
#include "era/simulation/simulator.h"
#include "era/target/target.h"
#include "persistent-data/faulty_device.h"

namespace era::test {

// Writes down what is sent to it, as "write 8 16" or "flush", and fails when it is to.
class watched_origin final : public origin {
 public:
  explicit watched_origin(std::uint64_t nr_sectors, std::string name = "data")
      : below_(nr_sectors, std::move(name)) {}

  const std::string& name() const override { return below_.name(); }
  std::uint64_t nr_sectors() const override { return below_.nr_sectors(); }
  void read(std::uint64_t sector, std::span<std::byte> into) override {
    note("read", sector, into.size() / sector_bytes);
    below_.read(sector, into);
  }
  void write(std::uint64_t sector, std::span<const std::byte> from) override {
    note("write", sector, from.size() / sector_bytes);
    if (before_write) {
      before_write({sector, sector + from.size() / sector_bytes});
    }
    below_.write(sector, from);
  }
  void discard(std::uint64_t sector, std::uint64_t nr_sectors) override {
    note("discard", sector, nr_sectors);
    below_.discard(sector, nr_sectors);
  }
  void flush() override {
    log.emplace_back("flush");
    below_.flush();
  }

  std::vector<std::byte> contents() {
    std::vector<std::byte> all(nr_sectors() * sector_bytes);
    below_.read(0, all);
    return all;
  }

  std::vector<std::string> log;
  std::function<void(const block_range& sectors)> before_write;
  bool fails = false;

 private:
  void note(const char* what, std::uint64_t sector, std::uint64_t nr_sectors) {
    if (nr_sectors == 0) {
      return;
    }
    if (fails) {
      throw base::io_error(name() + ": Input/output error");
    }
    log.push_back(std::string(what) + " " + std::to_string(sector) + " " +
                  std::to_string(nr_sectors));
  }

  memory_origin below_;
};

// A metadata device "meta" and an origin "data".
class test_devices final : public device_finder {
 public:
  test_devices(block_nr metadata_blocks, std::uint64_t origin_sectors)
      : stable(metadata_blocks, "meta"), data(origin_sectors) {}

  pd::block_device& metadata(const std::string& name) override {
    require(name, stable.name());
    return metadata_device;
  }
  era::origin& origin(const std::string& name) override {
    require(name, data.name());
    return data;
  }

  superblock on_disk() { return decode_superblock(stable.block(0)); }

  pd::memory_device stable;  // what the worst power cut would leave
  pd::faulty_device metadata_device{stable};
  watched_origin data;

 private:
  static void require(const std::string& name, const std::string& present) {
    if (name != present) {
      throw base::io_error(name + ": No such file or directory");
    }
  }
};

inline table_line table_of(std::uint64_t sectors, std::uint32_t block_size) {
  return {sectors, "meta", "data", std::to_string(block_size)};
}

// Contents for a write that no other write has.
inline std::vector<std::byte> contents_for(std::uint64_t n, std::uint64_t nr_sectors) {
  std::vector<std::byte> bytes(nr_sectors * sector_bytes);
  for (std::size_t at = 0; at < bytes.size(); ++at) {
    bytes[at] = static_cast<std::byte>(n * 151 + at / sector_bytes * 7 + at % 251);
  }
  return bytes;
}

// A write that is carried out at once.
inline void write(target& to, std::uint64_t sector, std::uint64_t nr_sectors,
                  std::uint64_t contents = 1) {
  const std::vector<std::byte> bytes = contents_for(contents, nr_sectors);
  to.map({request::kind::write, sector, nr_sectors, {}, bytes});
  to.work();
}

inline void settle(target& running) {
  while (running.step()) {
  }
  running.commit();
}

// All that era_check has to say of a device, remarks too.
inline std::string problems_of(pd::block_device& device) {
  problem_recorder problems;
  base::no_progress silent;
  check(device, {}, problems, silent);
  return problems.text();
}

// The last-written eras, as the tools read them.
inline std::vector<std::uint32_t> eras_of(pd::block_device& device) {
  const auto found = read_sound_state(device);
  return found ? found->eras : std::vector<std::uint32_t>();
}

// The eras whose writesets are in the live tree.
inline std::vector<std::uint32_t> archived_in(pd::block_device& device) {
  metadata_file file(device);
  strict_sink sink(device.name());
  const metadata found = file.load(metadata_state::live, sink);
  std::vector<std::uint32_t> eras;
  for (std::size_t i = 0; i < found.nr_archived(); ++i) {
    eras.push_back(found.writesets[i].era);
  }
  return eras;
}

// The whole world of a simulation in memory.
class memory_devices final : public simulated_devices {
 public:
  void make(const std::string& name, std::uint64_t nr_sectors) override {
    if (made_.contains(name)) {
      throw base::io_error(name + ": File exists");
    }
    made_.emplace(name, std::make_unique<device>(name, nr_sectors));
  }
  pd::block_device& metadata(const std::string& name) override { return find(name).faulty; }
  era::origin& origin(const std::string& name) override { return find(name).data; }
  void fail_power_after(std::uint64_t writes) override {
    for (const auto& [name, found] : made_) {
      found->faulty.fail_after_writes(writes);
    }
  }
  bool has_power_failed() const override {
    return std::any_of(made_.begin(), made_.end(),
                       [](const auto& entry) { return entry.second->faulty.has_failed(); });
  }
  void cut_power(std::uint64_t seed) override {
    std::mt19937_64 random(seed);
    for (const auto& [name, found] : made_) {
      found->faulty.cut_power(random);
    }
  }

  pd::memory_device& stable(const std::string& name) { return find(name).stable; }
  pd::faulty_device& faulty(const std::string& name) { return find(name).faulty; }
  watched_origin& data(const std::string& name) { return find(name).data; }

 private:
  // Each may serve as metadata or as origin.
  struct device {
    device(const std::string& name, std::uint64_t nr_sectors)
        : stable(nr_sectors / metadata_block_sectors, name), data(nr_sectors, name) {}
    pd::memory_device stable;
    pd::faulty_device faulty{stable};
    watched_origin data;
  };

  device& find(const std::string& name) const {
    const auto found = made_.find(name);
    if (found == made_.end()) {
      throw base::io_error(name + ": No such file or directory");
    }
    return *found->second;
  }

  std::map<std::string, std::unique_ptr<device>> made_;
};

}  // namespace era::test
