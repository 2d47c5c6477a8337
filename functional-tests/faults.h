// Faults of the system that no test can bring about otherwise: a library (faults.c) that is loaded
// into a tool and makes calls fail. Not for tools built with sanitizers. Not thread safe.
#pragma once

#include <cerrno>
#include <cstdint>
#include <string>
#include <vector>

#include "harness.h"

namespace faults {

// The library, built for the first who asks. Its variables are FAULT_KIND and so on, as run() sets
// them.
const std::string& library();

// Whether faults can be had here; says why not in the test's output.
bool available();

// The command with calls that fail: "fsync folder" (EIO), "close stdout" (EIO on a copy of standard
// output), "rename" (EXDEV), "fsync interrupted" (EINTR, once), "wait" (a file's fsync never ends).
std::vector<std::string> with(const std::string& fault, const std::vector<std::string>& command);

// The command with no read at an offset that gets this block of 4096 bytes.
std::vector<std::string> with_unreadable_block(std::uint64_t block,
                                               const std::vector<std::string>& command);

// One call that fails, counted from the begin of main; what is written to standard error does not
// count.
struct failure {
  // "read" and "write", libaio's too; "flush", "open", "rename", "close"; "query" (what is asked
  // about files, sizes and locks); "queue" (libaio's own calls); "device-mapper" (what is asked of
  // it); "thread", "memory". Or "block": no
  // read at an offset gets block `at` - 1 of 4096 bytes.
  std::string kind;
  std::uint64_t at = 0;  // which call, from 1; 0: none, they are only counted
  // "error", "short" (half is moved), "torn" (so many eighths of a write arrive, in whole sectors;
  // then every write and flush fails), "signal" (before the call).
  std::string effect = "error";
  int number = EIO;       // the error, the eighths or the signal
  bool lasts = false;     // the later calls of the kind fail as well
  bool uncached = false;  // the page cache never has what is to be read
};

std::string text_of(const failure& what);

struct outcome {
  harness::result result;
  std::uint64_t calls = 0;  // of that kind
};

outcome run(const failure& what, const std::vector<std::string>& command,
            const harness::run_options& options = {});

}  // namespace faults
