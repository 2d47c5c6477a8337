// Runs the schedules of a real kernel in the simulator, by the tool era_simulate, on files.
//
// The metadata lies in a folder of the object's own; every session goes on from what the one before
// left. Not safe for threads.
#pragma once

#include <string>
#include <vector>

#include "../harness.h"
#include "guest_schedule.h"

namespace kernel {

class simulation {
 public:
  explicit simulation(const guest_schedule& schedule);

  // Runs the next session. What is wrong, in words; empty if nothing is.
  std::string run_session();

  // The status lines so far.
  const std::vector<std::string>& statuses() const { return statuses_; }

  std::string metadata() const { return folder_ / "metadata"; }

 private:
  harness::temporary_folder folder_;
  guest_schedule schedule_;
  std::size_t next_ = 0;
  std::vector<std::string> statuses_;
};

// A session as a script for era_simulate.
std::string simulator_script(const guest_schedule& schedule, std::size_t session,
                             const std::string& metadata, const std::string& origin);

}  // namespace kernel
