// What a process sees to before it does anything else, so that no descriptor is taken for another
// and no signal leaves a temporary file. Call prepare_process() once, first, while there is one
// thread. A doomed_file may be made and dropped by any thread.
#pragma once

#include <cstddef>

namespace base {

// Fills the descriptors 0 to 2 where they are closed, and takes care of signals.
void prepare_process();

// A descriptor from 0 to 2 that is closed would be given to the next file that is opened, and a
// remark for standard error would end up in that. Each is filled with one that can't be used: what
// reads or writes it fails (EBADF). Ends the process with status 1 where not even that can be had.
void fill_standard_streams();

// INT, TERM, HUP and QUIT first remove the files that are doomed, and then end the process as ever.
// One that is ignored stays so. PIPE and XFSZ are ignored: the write that caused them fails.
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

}  // namespace base
