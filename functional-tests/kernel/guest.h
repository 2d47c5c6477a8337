// Runs shell scripts on a real kernel in QEMU, by the program run-guest in this folder, and looks
// through what that kernel logged.
//
// A guest may be run any number of times; between two runs its disks keep what was written to them.
// Guests are independent of each other. Not safe for threads.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kernel {

// Whether guests can be run here. If not, skip() says why: a test that needs a guest then returns.
bool available();
// Says on the test's output that something which a test needs is missing; the program will end as
// skipped.
void skip(const std::string& why);
// Whether that was ever said.
bool any_skipped();

// What a script in a guest has left.
struct outcome {
  int status = -1;  // the script's; 124 at the time limit, 125 if the guest died
  std::string out;
  std::string err;  // of run-guest itself; what the script writes there is in `out`
  std::string dmesg;
};

class guest {
 public:
  // Adds a raw disk and returns its name in the guest.
  std::string add_disk(const std::string& file);
  // Takes a program along, to be called by its file name.
  void take(const std::string& program) { programs_.push_back(program); }
  void set_seconds(int seconds) { seconds_ = seconds; }

  outcome run(const std::string& script) const { return run(script, ""); }
  // Runs the script and cuts the power when it is through; what is still going on is not waited
  // for.
  outcome run_and_cut(const std::string& script) const;

 private:
  outcome run(const std::string& script, const std::string& marker) const;

  std::vector<std::string> disks_;
  std::vector<std::string> programs_;
  int seconds_ = 120;
};

// The lines of a kernel log that report something wrong. Lines that hold one of `expected` do not
// count.
std::vector<std::string> complaints(const std::string& dmesg,
                                    const std::vector<std::string>& expected = {});

// The number that a script printed in a line of the name and the number; the test fails without it.
std::uint64_t fact(const std::string& out, const std::string& name);

// Splits at newlines.
std::vector<std::string> lines_of(const std::string& text);

}  // namespace kernel
