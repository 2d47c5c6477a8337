// Work that is done even if this process is killed: a guardian, a process of its own, waits at the
// other end of a socket, and does it when this process has gone without saying that it need not, or
// when it has taken too long.
//
// The guardian has a session of its own, heeds none of the signals that a terminal or a user ends
// this process with, and keeps no descriptor but what it is told to keep: a pipe of this process
// ends when this process does. Every way out waits for it but a SIGKILL, after which it works
// alone. Make it while there is one thread. Not thread safe.
#pragma once

#include <sys/types.h>

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/file_handle.h"
#include "base/process.h"

namespace dm {

class guardian {
 public:
  // Gets what watch() said last. Runs in the guardian, where it may throw. Returns whether it has
  // done anything: what found nothing to do at a deadline, or failed, is tried again every moment.
  using action = std::function<bool(std::uint64_t note)>;

  using clock = std::chrono::steady_clock;

  // A locked guardian never waits for a disk: its memory, its program and its libraries are in
  // memory before it says that it is ready, and stay there. A fork does not inherit locks. It goes
  // on without where the system refuses them: who depends on it locks its own memory first, and is
  // refused then.
  enum class memory { pageable, locked };

  // Starts it; it does nothing before watch(). `kept` is the descriptor that it keeps, -1 for none.
  // `if_it_fails` goes to standard error where a signal or the destructor has the work done and it
  // fails; empty: nothing is said. Throws base::io_error, after which none is there.
  guardian(const action& work, int kept, std::string if_it_fails, memory kind = memory::pageable);

  // Has the work done, if there is any, and waits for it.
  ~guardian();
  guardian(const guardian&) = delete;
  guardian& operator=(const guardian&) = delete;

  // From now on there is work if this process ends, or if it has not said anything else by the
  // deadline. It is done once. Throws base::io_error if the guardian has gone.
  void watch(std::uint64_t note, clock::time_point deadline = clock::time_point::max());

  // Has the work done now, if there is any left, and waits for it. False if it has failed, or if
  // the guardian had gone. The guardian ends.
  bool finish() noexcept;

  // There is no work any more. The guardian ends, and is waited for.
  void dismiss() noexcept;

 private:
  void start(const action& work, int kept, memory kind);
  bool wait() noexcept;

  std::string if_it_fails_;
  base::file_handle line_;
  pid_t child_ = -1;  // -1: it was waited for
  std::optional<base::awaited_child> awaited_;
};

}  // namespace dm
