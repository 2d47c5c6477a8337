// What was done to a kernel's devices (functional-tests/images), done again to era_simulate: the
// same status lines, and metadata that says the same.
//
// Only how far the digestion of archived eras has come at some moment is the kernel's own affair.
// So each log is replayed twice, once with digestion only where the log waited for it, and once
// with everything digested before each message and status, as by a worker that is never late. Eras
// must be equal in both. The number of metadata blocks in use depends on digestion; it must be
// equal where the device has settled: at the start, and after digestion was waited for.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <future>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "catch.h"
#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using fixtures::call;
using harness::image;
using harness::temporary_folder;
using nlohmann::json;

using words = std::vector<std::string>;

words words_of(const std::string& text) {
  std::istringstream in(text);
  return {std::istream_iterator<std::string>(in), {}};
}

// 0 131072 era 8 10/256 12 -
struct status {
  std::uint64_t used;
  std::string other;  // the rest, but for the place of a held snapshot, which cannot be foretold
  bool snapshot_held;
};

status parse_status(const std::string& line) {
  auto parts = words_of(line);
  if (parts.size() != 7) {
    throw std::runtime_error("no status: " + line);
  }
  const auto slash = parts[4].find('/');
  const bool held = parts[6] != "-";
  std::string other = parts[1] + " total" + parts[4].substr(slash) + " era " + parts[5];
  return {std::stoull(parts[4].substr(0, slash)), other + (held ? " held" : " -"), held};
}

// Array blocks of the kernel's era array that hold nothing any more: it forgets to drop the last
// one when the array shrinks to full blocks only, as many as were full before (doc/format.md 4).
class stale_blocks {
 public:
  void resize(std::uint64_t nr_blocks) {
    const auto full = nr_blocks / per_block;
    if (nr_blocks < nr_blocks_ && nr_blocks % per_block == 0 && nr_blocks_ / per_block == full) {
      keys_.insert(full);
    }
    const auto needed = (nr_blocks + per_block - 1) / per_block;
    keys_.erase(keys_.begin(), keys_.lower_bound(needed));
    nr_blocks_ = nr_blocks;
  }
  std::size_t count() const { return keys_.size(); }

 private:
  static constexpr std::uint64_t per_block = 1018;
  std::uint64_t nr_blocks_ = 0;
  std::set<std::uint64_t> keys_;
};

struct logged_status {
  std::string line;
  bool settled;
  std::size_t stale;  // blocks that only the kernel has in use
};

enum class digestion { as_logged, at_once };

// The operations of a log as a script for era_simulate.
class replay_script {
 public:
  replay_script(const json& log, digestion pace) : block_size_(log.at("block_size")), pace_(pace) {
    std::uint64_t origin = 0;
    for (const std::string table : log.at("tables")) {
      origin = std::max(origin, length_of(table));
    }
    const std::uint64_t metadata_bytes = log.at("metadata_bytes");
    add("device metadata " + std::to_string(metadata_bytes / 512));
    add("device origin " + std::to_string(origin));
    for (const auto& operation : log.at("ops")) {
      add_operation(operation);
    }
  }

  void add(const std::string& line) { text_ += line + "\n"; }

  // "msg checkpoint" or "wblk 1857 2", as the operations are noted that a power cut ended.
  void add_in_flight(const std::string& operation) {
    const auto parts = words_of(operation);
    if (parts.at(0) == "msg") {
      add("message " + parts.at(1));
    } else if (parts.at(0) == "wblk") {
      add_request("write",
                  {{"first", std::stoull(parts.at(1))}, {"count", std::stoull(parts.at(2))}});
    } else {
      throw std::runtime_error("cannot replay " + operation);
    }
  }

  const std::string& text() const { return text_; }
  const std::vector<logged_status>& expected() const { return expected_; }

 private:
  static std::uint64_t length_of(const std::string& table) {
    return std::stoull(words_of(table).at(1));
  }

  std::string ours(const std::string& table) {
    length_ = length_of(table);
    stale_.resize((length_ + block_size_ - 1) / block_size_);
    return "0 " + std::to_string(length_) + " era metadata origin " + std::to_string(block_size_);
  }

  void digest() {
    if (pace_ == digestion::at_once) {
      add("step 1000000");
    }
  }

  void add_request(const std::string& verb, const json& operation) {
    const std::uint64_t first =
        operation.value("sector", block_size_ * std::uint64_t{operation.at("first")});
    const std::uint64_t count =
        operation.value("sectors", block_size_ * std::uint64_t{operation.at("count")});
    // The last block may be partial.
    add(verb + " " + std::to_string(first) + " " +
        std::to_string(std::min(count, length_ - first)));
  }

  void add_status(const std::string& line) {
    digest();
    add("status");
    const bool settled = before_ == "settle" || (before_ == "create" && expected_.empty());
    expected_.push_back({line, settled, stale_.count()});
  }

  void add_operation(const json& operation) {
    if (!operation.contains("op")) {
      add_status(operation.at("status"));
      return;
    }
    const std::string what = operation.at("op");
    if (what == "create") {
      add("create " + ours(operation.at("table")));
    } else if (what == "reload") {
      digest();
      add("suspend");
      add("reload " + ours(operation.at("table")));
      add("resume");
    } else if (what == "message" || what == "refused") {
      digest();
      add((what == "refused" ? "! message " : "message ") + std::string(operation.at("message")));
    } else if (what == "suspend" || what == "remove") {
      if (before_ != "suspend") {
        digest();
      }
      add(what);
    } else if (what == "resume" || what == "settle") {
      add(what);
    } else if (what == "flush_only") {
      add("flush");
    } else if (what == "a second boot") {
      if (operation.at("after") != "removed") {
        add("power_cut");
      }
    } else if (what != "secure_discard") {  // which no target is given to see
      add_request(what == "write_zeroes" ? what : what.substr(0, what.find('_')), operation);
    }
    before_ = what;
  }

  std::uint64_t block_size_;
  digestion pace_;
  std::uint64_t length_ = 0;
  std::string before_;
  stale_blocks stale_;
  std::string text_;
  std::vector<logged_status> expected_;
};

struct found {
  std::size_t lines = 0;
  std::size_t equal = 0;       // but for the number of blocks in use
  std::size_t used_equal = 0;  // that number too
  std::size_t settled = 0;
  std::size_t settled_equal = 0;
  std::string live;      // dump --logical, or what is wrong
  std::string snapshot;  // the same, or empty without a snapshot
  words notes;           // differences in settled states, each with its reason
  words troubles;
};

std::string dump_of(const std::string& metadata, const words& options, words& troubles) {
  words arguments = {"--logical", metadata};
  arguments.insert(arguments.end(), options.begin(), options.end());
  const auto dumped = call("era_dump", arguments);
  if (dumped.status != 0 || !dumped.err.empty()) {
    troubles.push_back("era_dump: " + dumped.err);
  }
  return dumped.out;
}

// A snapshot keeps the writesets that were waiting for digestion when it was taken, so while one is
// held, figures depend on the past too.
void compare_status(const logged_status& logged, const std::string& line, bool digested_at_once,
                    found& to) {
  const auto theirs = parse_status(logged.line);
  const auto ours = parse_status(line);
  to.equal += ours.other == theirs.other;
  to.used_equal += ours.used == theirs.used;
  if (ours.other != theirs.other) {
    to.troubles.push_back("status is " + line + ", the kernel's " + logged.line);
  }
  if (!logged.settled) {
    return;
  }
  ++to.settled;
  to.settled_equal += ours.used == theirs.used;
  if (ours.used == theirs.used) {
    return;
  }
  const auto difference = std::to_string(ours.used) + " for " + std::to_string(theirs.used);
  if (ours.used + logged.stale == theirs.used) {
    to.notes.push_back(difference + ": stale array blocks");
  } else if (!digested_at_once && theirs.snapshot_held) {
    to.notes.push_back(difference + ": snapshot of undigested eras");
  } else {
    to.troubles.push_back("settled, but the status is " + line + ", the kernel's " + logged.line);
  }
}

found run_replay(const replay_script& script, bool digested_at_once, bool with_snapshot) {
  const temporary_folder folder;
  const auto metadata = folder / "metadata";
  harness::write_file(folder / "script", script.text());
  harness::run_options there;
  there.folder = folder.path();
  const auto simulated = call("era_simulate", {"--verify", "script"}, there);

  found result;
  if (simulated.status != 0 || !simulated.err.empty()) {
    result.troubles.push_back("era_simulate: " + simulated.err + simulated.out);
    return result;
  }
  std::istringstream lines(simulated.out);
  for (std::string line; std::getline(lines, line);) {
    if (line.find(" era ") == std::string::npos) {
      continue;  // the reason of a failure that had to be
    }
    if (result.lines < script.expected().size()) {
      compare_status(script.expected()[result.lines], line, digested_at_once, result);
    }
    ++result.lines;
  }
  if (result.lines != script.expected().size()) {
    result.troubles.push_back(std::to_string(result.lines) + " status lines");
  }
  if (const auto checked = call("era_check", {metadata});
      checked.status != 0 || !checked.err.empty()) {
    result.troubles.push_back("era_check: " + checked.err + checked.out);
  }
  result.live = dump_of(metadata, {}, result.troubles);
  if (with_snapshot) {
    result.snapshot = dump_of(metadata, {"--metadata-snapshot"}, result.troubles);
  } else if (call("era_dump", {"--metadata-snapshot", metadata}).status != 1) {
    result.troubles.push_back("there is a metadata snapshot");
  }
  return result;
}

json log_of(const image& image) {
  return json::parse(harness::read_file(IMAGE_FOLDER "/" + image.name + ".json"));
}

found replay(const image& image, digestion pace) {
  const auto log = log_of(image);
  replay_script script(log, pace);
  if (log.at("ended") != "removed") {
    script.add("power_cut");
  }
  return run_replay(script, pace == digestion::at_once, image.snapshot.has_value());
}

void require_no_trouble(const found& result) {
  for (const auto& trouble : result.troubles) {
    FAIL_CHECK(trouble);
  }
}

std::string out_of(std::size_t some, std::size_t all) {
  return std::to_string(some) + "/" + std::to_string(all);
}

std::string cell(const std::string& got, const std::string& expected) {
  const auto difference = harness::difference(got, expected);
  CHECK(difference == "");
  return difference.empty() ? "equal" : "DIFFERS";
}

// The power failed while the kernel was at work. The log says how many of the operations after the
// last logged one it had certainly done.
std::string check_in_flight(const image& image, digestion pace) {
  const auto log = log_of(image);
  const auto& in_flight = log.at("in_flight");
  const auto certain = std::stoul(std::string(in_flight.at("certainly_seen")));
  const words operations = in_flight.at("ops");
  std::vector<std::vector<std::uint32_t>> eras;
  for (const auto done : {certain, operations.size()}) {
    replay_script script(log, pace);
    for (std::size_t i = 0; i < done; ++i) {
      script.add_in_flight(operations.at(i));
    }
    script.add("power_cut");
    const auto result = run_replay(script, pace == digestion::at_once, false);
    require_no_trouble(result);
    const auto dump = harness::parse_dump(result.live);
    CHECK(dump.current_era == image.live.current_era);
    CHECK(dump.nr_blocks == image.live.nr_blocks);
    eras.push_back(dump.fold());
  }
  const auto kernels = image.live.eras();
  REQUIRE(eras[0].size() == kernels.size());
  REQUIRE(eras[1].size() == kernels.size());
  bool between = true;
  for (std::size_t block = 0; block < kernels.size(); ++block) {
    between = between && (kernels[block] == eras[0][block] || kernels[block] == eras[1][block]);
  }
  CHECK(between);
  return between ? "between" : "DIFFERS";
}

std::string joined(const words& list) {
  std::string text;
  for (const auto& one : list) {
    text += (text.empty() ? "" : ", ") + one;
  }
  return text;
}

}  // namespace

TEST_CASE("the shrinks that leave a stale array block in the kernel are known from others") {
  const auto count_after = [](const std::vector<std::uint64_t>& lengths) {
    stale_blocks stale;
    for (const auto length : lengths) {
      stale.resize(length);
    }
    return stale.count();
  };
  CHECK(count_after({1023, 1018}) == 1);
  CHECK(count_after({2036, 1018}) == 0);
  CHECK(count_after({2041, 1018}) == 0);
  CHECK(count_after({1023, 1017}) == 0);
  CHECK(count_after({2041, 2036, 1018}) == 1);
  CHECK(count_after({2041, 2036, 1021, 1018}) == 2);
  CHECK(count_after({2041, 2036, 1021, 1018, 2030}) == 1);
  CHECK(count_after({2041, 2036, 1021, 1018, 2041}) == 0);
}

TEST_CASE("every log of a kernel's device, replayed by era_simulate, says the same", "[slow]") {
  std::vector<words> table = {{"", "status", "era, held", "used", "settled", "digested at once:",
                               "", "last-written", "snapshot's", "settled, but not equal:"},
                              {"image", "lines", "root equal", "equal", "equal", "used equal",
                               "settled equal", "eras", "eras", "ours for the kernel's, reason"}};
  std::size_t settled = 0;
  for (const auto& image : harness::images()) {
    INFO(image.name);
    auto later = std::async(std::launch::async, replay, std::cref(image), digestion::at_once);
    const auto as_logged = replay(image, digestion::as_logged);
    const auto at_once = later.get();
    require_no_trouble(as_logged);
    require_no_trouble(at_once);

    std::string live;
    std::string snapshot = "-";
    if (log_of(image).contains("in_flight")) {
      live = check_in_flight(image, digestion::as_logged);
      CHECK(check_in_flight(image, digestion::at_once) == live);
    } else {
      const auto truth = image.live.logical_xml(image.block_size);
      live = cell(as_logged.live, truth);
      CHECK(cell(at_once.live, truth) == live);
    }
    if (image.snapshot) {
      const auto truth = image.snapshot->logical_xml(image.block_size);
      snapshot = cell(as_logged.snapshot, truth);
      CHECK(cell(at_once.snapshot, truth) == snapshot);
    }
    table.push_back(
        {image.name, std::to_string(as_logged.lines), out_of(as_logged.equal, as_logged.lines),
         out_of(as_logged.used_equal, as_logged.lines),
         out_of(as_logged.settled_equal, as_logged.settled),
         out_of(at_once.used_equal, at_once.lines), out_of(at_once.settled_equal, at_once.settled),
         live, snapshot, joined(as_logged.notes)});
    settled += as_logged.settled;
  }
  CHECK(settled > harness::images().size());
  harness::print_table(table);
}
