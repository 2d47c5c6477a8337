// What a process sees to before it does anything else, so that no descriptor is taken for another
// and no signal leaves a temporary file or work for a child. Call prepare_process() once, first,
// while there is one thread. A doomed_file and an awaited_child may be made and dropped by any
// thread.
#pragma once

#include <sys/types.h>

#include <array>
#include <csignal>
#include <cstddef>

namespace base {

// The signals that a user, a terminal or the system ends a process with.
inline constexpr std::array ending_signals = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

// Fills the descriptors 0 to 2 where they are closed, and takes care of signals.
void prepare_process();

// A descriptor from 0 to 2 that is closed would be given to the next file that is opened, and a
// remark for standard error would end up in that. Each is filled with one that can't be used: what
// reads or writes it fails (EBADF). Ends the process with status 1 where not even that can be had.
void fill_standard_streams();

// INT, TERM, HUP and QUIT first remove the files that are doomed and wait for the children that are
// to be awaited, and then end the process as ever. One that is ignored stays so. PIPE and XFSZ are
// ignored: the write that caused them fails. CHLD is not ignored, so that children can be awaited.
void take_care_of_signals();

// A file that a signal which ends the process removes, as long as the object lives. It need not be
// there (yet).
class doomed_file {
 public:
  static constexpr std::size_t longest_name = 31;

  // `folder` is a descriptor, which must stay open. Throws io_error if there are too many.
  doomed_file(int folder, const char* name);
  ~doomed_file();
  doomed_file(const doomed_file&) = delete;
  doomed_file& operator=(const doomed_file&) = delete;

 private:
  std::size_t slot_;
};

// A child that a signal which ends the process waits for, as long as the object lives.
class awaited_child {
 public:
  // `line` is a socket to the child, which is shut down first: that is how the child learns of the
  // end. `if_it_fails` is for standard error where the exit status of the child is not 0; empty:
  // nothing is said. Both must stay. Throws io_error if there are too many.
  awaited_child(pid_t child, int line, const char* if_it_fails);
  ~awaited_child();
  awaited_child(const awaited_child&) = delete;
  awaited_child& operator=(const awaited_child&) = delete;

 private:
  std::size_t slot_;
};

enum class signals { ending, all };

// Holds signals back from the present thread, as long as the object lives; from threads that it
// makes meanwhile, for good.
class held_back_signals {
 public:
  explicit held_back_signals(signals which = signals::ending);
  ~held_back_signals();
  held_back_signals(const held_back_signals&) = delete;
  held_back_signals& operator=(const held_back_signals&) = delete;

 private:
  sigset_t before_{};
};

}  // namespace base
