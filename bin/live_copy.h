// Copies a live era device: in one round, or (--consistent) in rounds while it is in use, and what
// is left while it is suspended, so that the target is the device as it was at that moment.
//
//   round:       metadata snapshot → list since the round before → drop it → copy from the device
//   suspension:  suspend → list from the metadata beneath → copy from the origin → flush → resume
//
// The device is resumed on every way out (device-mapper/suspension.h). It is not suspended where
// something that this process or the system needs to go on lies on it. Make it while there is one
// thread. Not thread safe.
#pragma once

#include <memory>

#include "bin/copy_task.h"
#include "copy/file_end.h"
#include "device-mapper/device_tree.h"
#include "device-mapper/era_device.h"
#include "device-mapper/suspension.h"
#include "persistent-data/file_device.h"

namespace cli {

struct consistency {
  std::uint64_t max_rest = std::uint64_t{64} << 20;  // bytes
  std::uint64_t max_rounds = 10;
  std::chrono::seconds max_suspend{30};
};

class live_copy {
 public:
  // Throws base::io_error or base::data_error if there is no such device.
  live_copy(const arguments& given, const command& tool, copy_task& task);

  // One round.
  void copy();

  // Rounds, and a suspension. Throws base::error where the device must not be suspended, or
  // anything fails; then the target is half-way.
  void copy_consistently(const consistency& how);

  // Says on standard output what would be done, and does none of it; `how` is null for one round.
  void explain(const consistency* how);

 private:
  era::written_list list();
  void open_target(const era::written_list& first);
  void require_target_elsewhere() const;
  void require_elsewhere(const std::string& place, const std::string& name) const;
  void require_may_suspend() const;
  void require_short_enough(std::uint64_t rest, const consistency& how) const;
  era::list_facts copy_suspended(const consistency& how);
  std::uint64_t bytes() const;

  const arguments& given_;
  const command& tool_;
  copy_task& task_;
  std::unique_ptr<dm::devices> devices_;
  dm::era_device device_;
  dm::device_tree tree_;
  copy::file_end source_;  // the era device
};

}  // namespace cli
