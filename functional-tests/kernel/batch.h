// Runs schedules on a real kernel, many in one boot, and judges what they leave.
//
// Boot number n runs session n of every schedule that has so many, one after the other, each with a
// metadata disk of its own and all over one origin. Devices whose session ends with a power cut
// stay until the end of the boot, when the power is cut for all of them. After every boot all
// metadata is held against the models. Not safe for threads.
#pragma once

#include <string>
#include <vector>

#include "../harness.h"
#include "guest.h"
#include "guest_model.h"
#include "guest_schedule.h"

namespace kernel {

class batch {
 public:
  // The metadata is zeros at first.
  void add(const guest_schedule& schedule);
  // The metadata is a copy of a file which says `initial`.
  void add(const guest_schedule& schedule, const std::string& metadata,
           const harness::truth& initial);
  void add(const guest_schedule& schedule, const std::string& metadata, const guest_model& initial);

  // All that is wrong, in words, with the names of the schedules: troubles of the guest, of its
  // log, of the status lines and of the metadata.
  std::vector<std::string> run();

  // What the status lines of a schedule were, without its name, session after session.
  const std::vector<std::string>& statuses(const std::string& name) const;

  // What a schedule has left.
  std::string metadata(const std::string& name) const { return folder_ / name; }

 private:
  struct subject {
    guest_schedule wanted;
    guest_model expected;
    std::vector<std::string> statuses = {};
  };

  bool has_session(const subject& one, std::size_t boot) const;
  void run_boot(std::size_t boot);
  outcome run_guest(std::size_t boot);
  void judge(subject& one, std::size_t boot, const std::string& output);
  void note(const std::string& where, const std::vector<std::string>& found);
  std::uint64_t origin_bytes() const;

  harness::temporary_folder folder_;
  std::vector<subject> subjects_;
  std::vector<std::string> troubles_;
};

}  // namespace kernel
