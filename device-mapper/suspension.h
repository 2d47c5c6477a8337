// A suspended device that is resumed on every way out: by resume(), which says if that fails; by
// the destructor; by INT, TERM, HUP and QUIT, before they end the process; after a SIGKILL, a
// moment later; and when it has been suspended for too long. The last three are a guardian's work
// (guardian.h), which is started before the suspension and holds no file. Only if both processes
// are killed at once by SIGKILL does the device stay suspended.
//
// A suspension freezes the file system above the device, so that it is whole on the disk, and waits
// for what is under way. Only a device that is not suspended is suspended here, so that no
// suspension of somebody else's is ended. Make it while there is one thread, with memory that is
// locked (mlockall): the guardian locks its own. Not thread safe.
#pragma once

#include <chrono>
#include <optional>
#include <string>

#include "device-mapper/devices.h"
#include "device-mapper/guardian.h"

namespace dm {

struct suspension_options {
  std::chrono::milliseconds longest = std::chrono::seconds(30);
  bool quiet = false;  // the guardian's failure is not told
};

class suspension {
 public:
  // Suspends. Throws base::data_error if it is suspended already, another device by now, or has
  // another table loaded, which the end of the suspension would put in place; base::io_error where
  // it is refused; then it is as it was. `at` must stay.
  suspension(devices& at, const live_target& of, const suspension_options& how);

  ~suspension();
  suspension(const suspension&) = delete;
  suspension& operator=(const suspension&) = delete;

  // Resumes, once. Throws base::io_error if that can't be done, saying how to do it by hand;
  // base::data_error if the deadline is over or somebody else has resumed the device: then what was
  // read meanwhile is not of one moment.
  void resume();

  // When the guardian resumes it. Whoever reads or writes meanwhile must stop by then.
  guardian::clock::time_point deadline() const { return begun_ + longest_; }

  // How long it was suspended, once resume() has returned; from before the suspension was asked
  // for.
  std::chrono::milliseconds duration() const { return duration_; }

 private:
  bool give_back() noexcept;
  void dismiss_guardian() noexcept;

  devices& at_;
  std::string name_;
  dev_t number_;
  std::chrono::milliseconds longest_;
  std::string if_it_fails_;  // empty: nothing is said
  std::optional<guardian> guardian_;
  guardian::clock::time_point begun_;
  std::chrono::milliseconds duration_{0};
};

}  // namespace dm
