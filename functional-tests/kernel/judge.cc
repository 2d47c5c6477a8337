#include "judge.h"

#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>

#include "../dump_parser.h"
#include "../harness.h"
#include "guest.h"

namespace kernel {
namespace {

using words = std::vector<std::string>;

words joined(words first, const words& second) {
  first.insert(first.end(), second.begin(), second.end());
  return first;
}

class judge {
 public:
  judge(const std::string& path, std::uint32_t block_size) : path_(path), block_size_(block_size) {}

  void check() { note("era_check", trouble(ask("era_check", {}))); }

  void compare(const state& expected, const words& options) {
    const auto logical = ask("era_dump", joined(options, {"--logical"}));
    if (const auto failure = trouble(logical); !failure.empty()) {
      note("era_dump --logical", failure);
      return;
    }
    const auto truth = expected.truth(harness::parse_dump(logical.out).era_array);
    note("era_dump --logical", harness::difference(logical.out, truth.logical_xml(block_size_)));
    compare_plain_dump(truth, options);
    for (const auto era : eras_to_ask(truth, !options.empty())) {
      const auto since = std::to_string(era);
      const auto listed = ask("era_invalidate", joined(options, {"--written-since", since}));
      const auto failure = trouble(listed);
      note("era_invalidate --written-since " + since,
           failure.empty() ? harness::difference(listed.out, truth.invalidate_xml(era)) : failure);
    }
  }

  void expect_open(bool open) {
    const auto got = ask("era_invalidate", {"--format", "json", "--written-since", "0"});
    if (trouble(got).empty() &&
        nlohmann::json::parse(got.out).at("current_writeset_open") != open) {
      note("era_invalidate --format json", "current_writeset_open is not as it should be");
    }
  }

  void expect_no_snapshot() {
    const auto got = ask("era_dump", {"--metadata-snapshot"});
    if (got.status != 1 || got.err.find("no current metadata snap") == std::string::npos) {
      note("era_dump --metadata-snapshot", "finds a snapshot where there is none");
    }
  }

  std::vector<std::string> troubles() && { return std::move(troubles_); }

 private:
  harness::result ask(const std::string& tool, const words& options) const {
    return harness::run(joined(joined({harness::tool(tool)}, options), {path_}));
  }

  static std::string trouble(const harness::result& got) {
    if (got.status == 0 && got.err.empty()) {
      return "";
    }
    return "exit status " + std::to_string(got.status) + ", " + got.out.substr(0, 1000) + got.err;
  }

  void note(const std::string& what, const std::string& found) {
    if (!found.empty()) {
      troubles_.push_back(what + ": " + found);
    }
  }

  void compare_plain_dump(const harness::truth& truth, const words& options) {
    const auto got = ask("era_dump", options);
    if (const auto failure = trouble(got); !failure.empty()) {
      note("era_dump", failure);
    } else if (const auto dump = harness::parse_dump(got.out);
               dump.current_era != truth.current_era || dump.fold() != truth.eras()) {
      note("era_dump", "the eras are wrong");
    }
  }

  // All eras; where there are very many, those at which the answer changes, and the next ones.
  static std::set<std::uint32_t> eras_to_ask(const harness::truth& truth, bool of_snapshot) {
    std::set<std::uint32_t> eras = {0, 1, truth.current_era, truth.current_era + 1};
    for (const auto& run : truth.runs) {
      eras.insert({run.era, run.era + 1});
    }
    for (std::uint32_t era = 0; truth.current_era < 150 && era < truth.current_era; ++era) {
      eras.insert(era);
    }
    // A snapshot can be asked for no list since a later era than its own.
    eras.erase(eras.upper_bound(truth.current_era + (of_snapshot ? 0 : 1)), eras.end());
    return eras;
  }

  std::string path_;
  std::uint32_t block_size_;
  std::vector<std::string> troubles_;
};

// The words that a status line must have, but for the two counts of metadata blocks and the number
// of the snapshot's block, which are the target's own affair.
std::string status_trouble(const std::string& line, const guest_model::status& expected) {
  std::istringstream stream(line);
  std::string begin, length, target, block_size, usage, era, held, more;
  stream >> begin >> length >> target >> block_size >> usage >> era >> held;
  const bool right = begin == "0" && length == std::to_string(expected.length) && target == "era" &&
                     block_size == "8" && usage.find('/') != std::string::npos &&
                     era == std::to_string(expected.era) && (held != "-") == expected.held &&
                     !held.empty() && !(stream >> more);
  return right ? "" : "status '" + line + "' where the era is " + std::to_string(expected.era);
}

}  // namespace

std::vector<std::string> metadata_troubles(const std::string& path, std::uint32_t block_size,
                                           const guest_model& model, ending end) {
  judge judge(path, block_size);
  try {
    judge.check();
    judge.compare(model.live(), {});
    judge.expect_open(end == ending::power_cut);
    if (model.snapshot()) {
      judge.compare(*model.snapshot(), {"--metadata-snapshot"});
    } else {
      judge.expect_no_snapshot();
    }
  } catch (const std::runtime_error& error) {
    return {error.what()};
  }
  return std::move(judge).troubles();
}

std::vector<std::string> status_troubles(const std::string& output, const std::string& name,
                                         const std::vector<guest_model::status>& expected) {
  std::vector<std::string> troubles;
  std::size_t seen = 0;
  for (const auto& line : lines_of(output)) {
    if (!line.starts_with(name + ": ")) {
      continue;
    }
    const auto found = seen < expected.size()
                           ? status_trouble(line.substr(name.size() + 2), expected[seen])
                           : "more status lines than asked for";
    ++seen;
    if (!found.empty()) {
      troubles.push_back(found);
    }
  }
  if (seen < expected.size()) {
    troubles.push_back("status lines are missing");
  }
  return troubles;
}

}  // namespace kernel
