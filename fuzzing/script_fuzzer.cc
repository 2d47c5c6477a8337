// Scripts of a simulation: whatever they do, the metadata is sound at the end, and says what was
// written. The simulation itself verifies that after each power cut and each removal.
#include <algorithm>
#include <cstring>

#include "base/output.h"
#include "fuzzing/invariants.h"
#include "fuzzing/memory_file.h"
#include "fuzzing/simulated_memory.h"

namespace {

// 8192 data blocks of the smallest size.
constexpr std::uint64_t most_sectors = 65536;

// A difference in the metadata may be the cause of what was caught.
void require_no_failed_verification(const std::exception& caught) {
  fuzz::require(dynamic_cast<const era::verification_failed*>(&caught) == nullptr,
                "metadata says what was written", caught.what());
  try {
    std::rethrow_if_nested(caught);
  } catch (const std::exception& cause) {
    require_no_failed_verification(cause);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::size_t at = 0;
  const era::script_reader script = [&](char* into, std::size_t room) {
    const std::size_t taken = std::min(room, size - at);
    std::copy_n(data + at, taken, into);
    at += taken;
    return taken;
  };
  fuzz::simulated_memory devices(most_sectors);
  const fuzz::memory_file printed;
  base::output out(printed.path());
  era::simulator simulator(devices, out, true);
  try {
    era::run_script(script, "script", simulator);
    simulator.finish();
  } catch (const base::error& e) {
    require_no_failed_verification(e);
  }
  return 0;
}
