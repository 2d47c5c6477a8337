// What a copy did, for the user: a line a round and the totals, or one JSON object. Not thread
// safe.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/output.h"
#include "copy/copier.h"

namespace cli {

struct copy_round {
  std::optional<std::uint32_t> since;  // none for a delta that says none
  std::uint64_t bytes = 0;             // that were listed
  std::uint64_t ranges = 0;
  std::chrono::milliseconds time{0};
};

struct copy_report {
  std::string tool;
  std::string source;
  std::string target;
  std::vector<copy_round> rounds;
  copy::copy_totals totals;
  std::optional<std::chrono::milliseconds> suspended;  // of the last round, in a consistent copy
  std::optional<std::uint32_t> next_since;
  std::string pending;  // a state that waits to be committed, if any
};

void print_text(const copy_report& report, base::output& out);
void print_json(const copy_report& report, base::output& out);

}  // namespace cli
