// For each code of doc/problems.md a recipe: sound metadata, and a change to it that provokes this
// problem and, where that can be had, no other. What is not the point of a change, such as
// checksums and the space map, is put right. Not thread safe.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "metadata_bytes.h"

namespace problems {

using eras = std::vector<std::uint32_t>;

struct reported {
  std::string code;
  std::uint64_t block;

  auto operator<=>(const reported&) const = default;
};

// What era_check should say of changed metadata: the block where it finds the problem, and all else
// that comes with it.
struct finding {
  finding(std::uint64_t where, std::vector<reported> more = {})
      : block(where), also(std::move(more)) {}

  std::uint64_t block;
  std::vector<reported> also;
};

// What dumps and lists make of it.
enum class answer {
  none,     // they refuse
  sound,    // that of the sound metadata
  changed,  // another one, and right
};

struct recipe {
  std::string code;
  answer readers;
  std::function<harness::metadata_bytes()> sound;
  std::function<finding(harness::metadata_bytes&)> change;

  std::string why_not_alone = "";                 // where others come with it
  std::function<void(eras&)> change_answer = {};  // of answer::changed
  std::vector<std::string> repair_options = {};   // without which era_repair refuses
  bool unreadable = false;                        // the block's reads must fail as well
};

const std::vector<recipe>& recipes();

// A row of doc/problems.md.
struct row {
  std::string code;
  std::string severity;
};
const std::vector<row>& table();
const std::string& severity_of(const std::string& code);

// The block of the era array that comes first.
std::uint64_t first_eras(const harness::metadata_bytes& m);
// Metadata as era_restore makes it of a document.
harness::metadata_bytes restored(const std::string& xml, std::uint64_t blocks = 256);

}  // namespace problems
