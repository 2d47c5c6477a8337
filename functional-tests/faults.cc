#include "faults.h"

#include <cstdio>
#include <cstdlib>
#include <map>
#include <stdexcept>
#include <system_error>

#include "fixtures.h"

namespace faults {
namespace {

using words = std::vector<std::string>;

const harness::temporary_folder& folder() {
  static const harness::temporary_folder made;
  return made;
}

// Variables that the processes started during its life have.
class environment {
 public:
  explicit environment(std::map<std::string, std::string> variables)
      : variables_(std::move(variables)) {
    for (const auto& [name, value] : variables_) {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~environment() {
    for (const auto& [name, value] : variables_) {
      ::unsetenv(name.c_str());
    }
  }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

 private:
  std::map<std::string, std::string> variables_;
};

}  // namespace

const std::string& library() {
  static const std::string path = [] {
    const auto built = harness::run({COMPILER, "-x", "c", "-D_GNU_SOURCE", "-O1", "-fno-builtin",
                                     "-shared", "-fPIC", "-o", folder() / "faults.so",
                                     SOURCE_FOLDER "/functional-tests/faults.c", "-ldl"});
    if (built.status != 0) {
      throw std::runtime_error("faults.c: " + built.err);
    }
    return folder() / "faults.so";
  }();
  return path;
}

bool available() {
  if (harness::sanitized()) {
    std::printf("skipped: a sanitizer wants to be the first library\n");
    return false;
  }
  return true;
}

words with(const std::string& fault, const words& command) {
  words all = {"env", "FAULT=" + fault, "LD_PRELOAD=" + library()};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

words with_unreadable_block(std::uint64_t block, const words& command) {
  words all = {"env",
               "FAULT_KIND=block",
               "FAULT_EFFECT=error",
               "FAULT_AT=" + std::to_string(block + 1),
               "FAULT_NUMBER=" + std::to_string(EIO),
               "LD_PRELOAD=" + library()};
  all.insert(all.end(), command.begin(), command.end());
  return all;
}

std::string text_of(const failure& what) {
  const std::string number = what.effect == "error"
                                 ? std::generic_category().message(what.number)
                                 : what.effect + " " + std::to_string(what.number);
  return what.kind + " " + std::to_string(what.at) + (what.lasts ? " and later: " : ": ") + number +
         (what.uncached ? " (uncached)" : "");
}

outcome run(const failure& what, const words& command, const harness::run_options& options) {
  const std::string counter = folder() / "calls";
  harness::write_file(counter, std::string(sizeof(std::uint64_t), '\0'));
  const environment for_child({{"LD_PRELOAD", library()},
                               {"FAULT_COUNT", counter},
                               {"FAULT_KIND", what.kind},
                               {"FAULT_AT", std::to_string(what.at)},
                               {"FAULT_EFFECT", what.effect},
                               {"FAULT_NUMBER", std::to_string(what.number)},
                               {"FAULT_LASTS", what.lasts ? "1" : ""},
                               {"FAULT_UNCACHED", what.uncached ? "1" : ""}});
  outcome found;
  found.result = harness::run(command, options);
  found.calls = fixtures::u64_at(harness::read_file(counter), 0);
  return found;
}

}  // namespace faults
