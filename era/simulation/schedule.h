// A random schedule for a simulation: everything that can be done to an era device, in an order
// that a seed decides. It ends with the device removed, or with the power cut. Not thread safe.
#pragma once

#include <cstdint>
#include <deque>
#include <optional>
#include <random>
#include <string>

#include "era/simulation/script.h"

namespace era {

struct schedule_options {
  std::uint64_t seed = 0;
  std::uint64_t nr_operations = 0;
  std::string metadata;  // names of the devices, which the schedule makes
  std::string origin;
  std::uint64_t most_blocks = 5000;  // data blocks, at most
};

class schedule {
 public:
  explicit schedule(const schedule_options& options);

  // The next command; empty at the end.
  std::optional<script_command> next();

 private:
  std::uint64_t below(std::uint64_t n) { return random_() % n; }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  void add(verb what, std::vector<std::uint64_t> numbers = {});
  void add_text(verb what, const std::string& text, outcome expected = outcome::success);
  void add_operation();
  void add_request();
  void add_message();
  void add_snapshot_message();
  void add_suspension();
  void add_power_cut();
  void add_end();
  std::uint64_t random_length();
  std::string table();

  schedule_options options_;
  std::mt19937_64 random_;
  std::deque<script_command> ready_;
  std::uint64_t left_;
  std::uint64_t block_size_;   // sectors
  std::uint64_t most_blocks_;  // data blocks on the origin
  std::uint64_t length_ = 0;   // sectors of the present table
  bool snapshot_held_ = false;
};

}  // namespace era
