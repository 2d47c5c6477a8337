// The plain model of an era device: a vector of last-written eras, kept up by the rules of what
// marks a block and what begins an era, and nothing else. No metadata, no digestion. Independent of
// the code under test.
//
// Not safe for threads.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "../harness.h"
#include "guest_schedule.h"

namespace kernel {

// What the metadata says at one moment.
struct state {
  std::uint32_t current_era = 0;
  std::vector<std::uint32_t> eras = {};  // one for each data block
  // Blocks that a shrink cut off and a growth brought back, with the era that they had: it may show
  // again instead of 0, by how far digestion had got.
  std::map<std::uint64_t, std::uint32_t> may_return = {};

  // As a truth to compare with, where `shown` (what a tool says) decides about `may_return`.
  harness::truth truth(const std::vector<std::uint32_t>& shown) const;
};

class guest_model {
 public:
  // Metadata of zeros; or what metadata already says.
  explicit guest_model(std::uint32_t block_size) : block_size_(block_size) {}
  guest_model(std::uint32_t block_size, const harness::truth& initial);

  // Throw std::logic_error if the schedule itself is wrong, as with a write to a suspended device.
  void run(const session& session);
  void begin(std::uint64_t length);
  void apply(const operation& operation);

  const state& live() const { return live_; }
  const std::optional<state>& snapshot() const { return snapshot_; }

  // What the status line of each status operation so far must say.
  struct status {
    std::uint64_t length;
    std::uint32_t era;
    bool held;
  };
  const std::vector<status>& statuses() const { return statuses_; }

 private:
  void begin_era() { ++live_.current_era; }
  void resume();
  void resize(std::uint64_t blocks);
  void mark(std::uint64_t sector, std::uint64_t sectors);
  void send(const std::string& message);
  void expect(bool right, const std::string& what) const;

  std::uint32_t block_size_;
  std::uint64_t length_ = 0;
  bool suspended_ = true;
  state live_;
  std::map<std::uint64_t, std::uint32_t> cut_off_;  // blocks past the end, with their eras
  std::optional<state> snapshot_;
  std::vector<status> statuses_;
};

}  // namespace kernel
