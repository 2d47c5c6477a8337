// Where the answers of thin-provisioning-tools 0.9.0, the peer, are known to differ from ours, and
// why. The tests hold the list against both tools: whatever differs must be listed, and what is
// listed must differ.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fixtures.h"
#include "harness.h"

namespace peer {

struct writeset {
  std::uint32_t era;
  std::vector<bool> bits;  // one for each of nr_bits
};

// What metadata holds, decoded without the help of any tool.
struct contents {
  std::vector<std::uint32_t> era_array;  // one for each of nr_blocks
  std::vector<writeset> archived;        // by ascending eras
  std::optional<writeset> open;
  bool stale_array_block = false;
};

// Something to ask the tools about: metadata, or a document for era_restore, which has a name only.
struct subject {
  std::string name;
  std::uint32_t block_size = 0;
  contents held = {};
  harness::truth live = {};
  std::optional<harness::truth> snapshot = {};
};

subject subject_of(const harness::image& image);
subject subject_of(const fixtures::document& document, const std::string& name);
// What era_restore makes of our dump of the subject.
subject restored(const subject& subject);

enum class command { check, dump, logical_dump, invalidate, invalidate_snapshot, restore };

struct question {
  peer::command command;
  std::uint32_t since = 0;  // of the commands that invalidate
};

struct deviation {
  std::string id;
  std::string reason;  // with the section of doc/format.md
  // Whether the peer answers wrongly because of it. Exact, not only possible.
  bool (*expected)(const subject&, const question&);
};

const std::vector<deviation>& deviations();
std::vector<std::string> expected_deviations(const subject& subject, const question& question);

// The last-written eras that the peer reports.
std::vector<std::uint32_t> peer_eras(const contents& held);

}  // namespace peer
