#include "fuzzing/invariants.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>

#include "era/build/metadata_builder.h"
#include "era/check/check.h"
#include "era/list/list_format.h"
#include "era/read/contents_reader.h"
#include "era/repair/repair.h"
#include "fuzzing/hollow_origin.h"

namespace fuzz {
namespace {

using era_values = std::vector<std::uint32_t>;

// More bits and eras than this take too long; only a check is done then.
constexpr std::uint64_t most_values = std::uint64_t{1} << 19;

// Of a device whose superblock is lost, the damaged one may say that it has a data block for each
// place that there is.
constexpr pd::block_nr most_blocks_if_lost = 1000;

// What is restored always fits: it is never much more than what was read, and no input has so many
// blocks in use.
pd::block_nr blocks_to_restore_to(const pd::block_device& from) {
  return std::min<pd::block_nr>(from.nr_blocks(), 2000) + 100;
}

constexpr std::uint32_t last_era = UINT32_MAX;
constexpr std::uint32_t eras_to_go_on = 8;  // a target that goes on begins fewer

class tolerant_sink final : public era::problem_sink {
 public:
  void found(const era::problem& /*p*/) override {}
};

// ---- check ----

class verdict final : public era::problem_sink {
 public:
  explicit verdict(pd::block_device& device) {
    base::no_progress silent;
    summary = era::check(device, {}, *this, silent);
  }

  void found(const era::problem& p) override {
    codes.insert(p.code);
    text += std::string(era::row_of(p.code).name) + ": " + era::sentence_of(p) + "\n";
  }

  bool has(era::problem_code code) const { return codes.contains(code); }
  bool has_errors() const { return summary.errors > 0; }
  bool is_clean() const { return summary.errors == 0 && summary.nonfatal == 0; }

  era::check_summary summary;
  std::set<era::problem_code> codes;
  std::string text;
};

// ---- readers ----

// What a reader makes of metadata, or why it refuses it.
template <typename Result>
struct outcome {
  std::optional<Result> result;
  std::string refusal;
};

template <typename Read>
auto attempt(Read read) -> outcome<decltype(read())> {
  try {
    return {read(), ""};
  } catch (const base::data_error& e) {
    return {std::nullopt, e.what()};
  }
}

recorded_contents dump(pd::block_device& device, const era::contents_options& options) {
  era::metadata_file file(device);
  era::strict_sink strict(device.name());
  tolerant_sink tolerant;
  contents_recorder recorder;
  base::no_progress silent;
  era::send_contents(file, options,
                     options.repair ? static_cast<era::problem_sink&>(tolerant) : strict, recorder,
                     silent);
  return std::move(recorder.contents);
}

using block_list = std::vector<bool>;

block_list list(pd::block_device& device, era::metadata_state state, std::uint32_t since,
                era::problem_sink& problems) {
  era::metadata_file file(device);
  base::no_progress silent;
  const era::written_list found = era::list_written_blocks(file, state, {since}, problems, silent);
  block_list listed(found.facts.geometry.nr_blocks);
  for_each_run(found.blocks, [&](const era::block_range& run) {
    std::fill(listed.begin() + static_cast<std::ptrdiff_t>(run.first),
              listed.begin() + static_cast<std::ptrdiff_t>(run.end), true);
  });
  return listed;
}

outcome<block_list> strict_list(pd::block_device& device, era::metadata_state state,
                                std::uint32_t since) {
  return attempt([&] {
    era::strict_sink strict(device.name());
    return list(device, state, since, strict);
  });
}

outcome<block_list> tolerant_list(pd::block_device& device, era::metadata_state state,
                                  std::uint32_t since) {
  return attempt([&] {
    tolerant_sink tolerant;
    return list(device, state, since, tolerant);
  });
}

// Whether bits and eras are few enough to be read again and again.
bool is_small(pd::block_device& device, era::metadata_state state) {
  const auto values = attempt([&] {
    era::metadata_file file(device);
    tolerant_sink tolerant;
    const era::metadata found = file.load(state, tolerant);
    std::uint64_t sum = found.superblock.nr_blocks;
    for (const era::writeset& set : found.writesets) {
      sum += set.nr_bits;
    }
    return sum;
  });
  return values.result.value_or(0) <= most_values;
}

std::set<std::uint32_t> eras_to_ask_for(std::uint32_t current) {
  return {std::min(current, 1U), current / 2, current};
}

std::string block_and_era(std::uint64_t block, std::uint32_t since) {
  return "block " + std::to_string(block) + ", since era " + std::to_string(since);
}

// ---- what must hold ----

void require_listed(const block_list& listed, const era_values& eras, std::uint32_t since,
                    const std::string& invariant) {
  for (std::uint64_t block = 0; block < eras.size(); ++block) {
    if (eras[block] >= since && (block >= listed.size() || !listed[block])) {
      broken(invariant, block_and_era(block, since));
    }
  }
}

void require_not_earlier(const era_values& now, const era_values& before,
                         const std::string& invariant) {
  for (std::uint64_t block = 0; block < before.size(); ++block) {
    if (block >= now.size() || now[block] < before[block]) {
      broken(invariant,
             "block " + std::to_string(block) + ", era " + std::to_string(before[block]) +
                 (block < now.size() ? ", then " + std::to_string(now[block]) : ", then lost"));
    }
  }
}

void check_lists(pd::block_device& device, era::metadata_state state, const verdict& checked,
                 const recorded_contents& dumped) {
  const era_values eras = last_written(dumped);
  for (const std::uint32_t since : eras_to_ask_for(dumped.current_era)) {
    const auto listed = strict_list(device, state, since);
    require(listed.result || checked.has_errors() || checked.has(era::problem_code::writeset_gap),
            "what is sound can be listed", listed.refusal);
    if (listed.result) {
      for (std::uint64_t block = 0; block < eras.size(); ++block) {
        if ((*listed.result)[block] != (eras[block] >= since)) {
          broken("a list says what a dump says", block_and_era(block, since));
        }
      }
    }
    const auto at_all_costs = tolerant_list(device, state, since);
    require(at_all_costs.result.has_value(), "a list that goes on past damage can be had",
            at_all_costs.refusal);
    require_listed(*at_all_costs.result, eras, since,
                   "a list that goes on past damage holds all of a strict one");
  }
  const auto logical = attempt([&] { return dump(device, {state, true, false}); });
  require(logical.result && logical.result->eras == eras, "a logical dump says what a dump says",
          logical.refusal);
}

// What a metadata snapshot holds is complete up to the era before its own: restored, its own is
// missing, and a dump says so.
void check_restored_dump(pd::block_device& restored, era::metadata_state state,
                         const recorded_contents& dumped) {
  const verdict checked(restored);
  require(checked.is_clean(), "what was restored is sound", checked.text);
  const auto again = attempt([&] { return dump(restored, {}); });
  const bool is_known = again.result || state == era::metadata_state::live ||
                        !checked.has(era::problem_code::writeset_gap);
  require(!is_known || (again.result && *again.result == dumped),
          "what was dumped and restored is dumped as it was", again.refusal);
}

void check_dump(pd::block_device& device, era::metadata_state state, const verdict& checked,
                const recorded_contents& dumped) {
  sparse_device restored(blocks_to_restore_to(device));
  try {
    era::metadata_file file(device);
    era::strict_sink strict(device.name());
    era::metadata_builder builder(restored);
    base::no_progress silent;
    era::send_contents(file, {state, false, false}, strict, builder, silent);
  } catch (const era::contents_conflict& e) {
    require(checked.has(era::problem_code::era_above_archived),
            "what is sound can be dumped and restored", e.what());
    return;
  }
  check_restored_dump(restored, state, dumped);
}

struct repaired_state {
  recorded_contents contents;
  bool may_be_longer;
};

// Empty, with `refusal`, where it can't be repaired. What takes more room than it should is not
// looked at: damage may claim that there is any number of bits.
outcome<repaired_state> check_repair(pd::block_device& device, const era::repair_options& options) {
  sparse_device repaired(blocks_to_restore_to(device));
  era::repair_summary summary;
  try {
    tolerant_sink tolerant;
    era::metadata_builder builder(repaired);
    base::no_progress silent;
    summary = era::repair(device, options, tolerant, builder, silent);
  } catch (const base::error& e) {
    require(dynamic_cast<const era::contents_conflict*>(&e) == nullptr,
            "what a repair makes does not contradict itself", e.what());
    return {std::nullopt, e.what()};
  }
  const verdict checked(repaired);
  require(checked.is_clean(), "what was repaired is sound", checked.text);
  return {repaired_state{dump(repaired, {}), summary.may_be_longer}, ""};
}

bool is_too_small(const std::string& refusal) {
  return refusal.find("Output file too small") != std::string::npos;
}

// Where the length is a guess, what lies past it is not known to have been.
void require_kept(const repaired_state& repaired, era_values before, const std::string& invariant) {
  if (repaired.may_be_longer && before.size() > repaired.contents.nr_blocks) {
    before.resize(repaired.contents.nr_blocks);
  }
  require_not_earlier(last_written(repaired.contents), before, invariant);
}

// ---- the target ----

class trial {
 public:
  trial(pd::block_device& metadata, const era::superblock& live)
      : nr_blocks_(std::max<std::uint64_t>(live.nr_blocks, 1)),
        block_size_(live.data_block_size),
        devices_(metadata, nr_blocks_ * block_size_),
        written_in_(nr_blocks_),
        target_({nr_blocks_ * block_size_, "metadata", "data", std::to_string(block_size_)},
                devices_) {}

  // What was written is known even if this throws.
  void run() {
    target_.resume();
    write_some(3);
    target_.message("checkpoint");
    digest();
    const bool has_snapshot = target_.last_commit().metadata_snap != pd::no_block;
    target_.message(has_snapshot ? "drop_metadata_snap" : "take_metadata_snap");
    write_some(5);
    digest();
    target_.message("checkpoint");
    write_some(7);
    target_.suspend();
  }

  const era_values& written_in() const { return written_in_; }

 private:
  // Enough for some bitsets, not for the largest.
  static constexpr int steps = 100;

  void write_some(std::uint64_t spread) {
    for (std::uint64_t i = 0; i < 5; ++i) {
      write(i * spread * spread * spread % nr_blocks_);
    }
    write(nr_blocks_ - 1);
    write(nr_blocks_ / 2);
  }

  void write(std::uint64_t block) {
    target_.map({era::request::kind::write_zeroes, block * block_size_, 1, {}, {}});
    target_.work();
    written_in_[block] = target_.current_era();
  }

  void digest() {
    for (int i = 0; i < steps && target_.step(); ++i) {
    }
  }

  std::uint64_t nr_blocks_;
  std::uint32_t block_size_;
  target_devices devices_;
  era_values written_in_;
  era::target target_;
};

struct trial_result {
  era_values written_in;  // of what could be written
  std::string failure;    // empty if nothing failed
  bool out_of_space = false;
};

trial_result try_target(pd::block_device& device, const era::superblock& live) {
  trial_result result;
  std::optional<trial> running;
  try {
    running.emplace(device, live);
    running->run();
  } catch (const base::error& e) {
    result.failure = e.what();
    result.out_of_space = dynamic_cast<const pd::out_of_space*>(&e) != nullptr;
  }
  if (running) {
    result.written_in = running->written_in();
  }
  return result;
}

// From sound metadata.
void check_going_on(sparse_device device, const verdict& checked, const era_values& before) {
  const era::superblock& live = checked.summary.found;
  const trial_result tried = try_target(device, live);
  const bool may_fail = tried.out_of_space || live.current_era > last_era - eras_to_go_on ||
                        checked.has(era::code_of(pd::damage_kind::node_odd_maximum));
  require(tried.failure.empty() || may_fail, "a target goes on from what is sound", tried.failure);
  if (checked.has(era::problem_code::writeset_gap)) {
    return;  // what no dump shows
  }
  const era_values now = last_written(check_sound(device));
  require_not_earlier(now, before, "a target forgets nothing that was there");
  require_not_earlier(now, tried.written_in, "a target forgets nothing that was written");
}

// From any. What may be listed afterwards must be listed.
void check_after_target(pd::block_device& device, const era::superblock& live,
                        const era_values& before) {
  const trial_result tried = try_target(device, live);
  for (const std::uint32_t since : eras_to_ask_for(live.current_era)) {
    const auto listed = strict_list(device, era::metadata_state::live, since);
    if (listed.result) {
      require_listed(*listed.result, before, since, "after a target no list is shorter");
      require_listed(*listed.result, tried.written_in, since,
                     "after a target a list holds what was written");
    }
  }
}

void check_state(const sparse_device& original, era::metadata_state state, const verdict& checked) {
  sparse_device device = original;
  const auto dumped = attempt([&] { return dump(device, {state, false, false}); });
  require(dumped.result || checked.has_errors() || checked.has(era::problem_code::writeset_gap),
          "what is sound can be dumped", dumped.refusal);
  if (dumped.result) {
    check_lists(device, state, checked, *dumped.result);
    check_dump(device, state, checked, *dumped.result);
  }
}

}  // namespace

void broken(const std::string& invariant, const std::string& details) {
  std::fprintf(stderr, "Broken: %s.\n%s\n", invariant.c_str(), details.c_str());
  std::abort();
}

void require(bool holds, const std::string& invariant, const std::string& details) {
  if (!holds) {
    broken(invariant, details);
  }
}

recorded_contents check_sound(pd::block_device& device) {
  const verdict checked(device);
  require(checked.is_clean(), "what a target leaves is sound", checked.text);
  return dump(device, {});
}

std::optional<recorded_contents> check_restored(pd::block_device& device) {
  const verdict checked(device);
  require(checked.is_clean(), "what was restored from a document is sound", checked.text);
  if (!checked.has(era::problem_code::writeset_gap)) {
    return dump(device, {});
  }
  require(!attempt([&] { return dump(device, {}); }).result,
          "what has a missing era is not dumped as if it were whole", checked.text);
  return std::nullopt;
}

void check_metadata(const sparse_device& original) {
  sparse_device device = original;
  const verdict checked(device);
  const era::metadata_state live = era::metadata_state::live;
  const bool is_lost = !checked.summary.superblock_usable;
  if (is_lost ? device.nr_blocks() > most_blocks_if_lost : !is_small(device, live)) {
    return;
  }
  const auto repaired = check_repair(device, {});
  if (is_lost) {
    return;
  }
  check_state(device, live, checked);
  if (checked.summary.snapshot_read && is_small(device, era::metadata_state::snapshot)) {
    check_state(device, era::metadata_state::snapshot, checked);
  }
  const auto dumped = attempt([&] { return dump(device, {}); });
  const era_values before = dumped.result ? last_written(*dumped.result) : era_values();
  if (repaired.result) {
    require_kept(*repaired.result, before, "a repair makes no block's era earlier");
  }
  if (checked.is_clean()) {
    require(repaired.result.has_value(), "what is sound can be repaired", repaired.refusal);
    check_going_on(device, checked, before);
  } else {
    try_target(device, checked.summary.found);  // where blocks in use may be free for the map
  }
}

void check_damaged(pd::block_device& damaged, const recorded_contents& before) {
  const era_values eras = last_written(before);
  for (const std::uint32_t since : eras_to_ask_for(before.current_era)) {
    const auto strict = strict_list(damaged, era::metadata_state::live, since);
    if (strict.result) {
      require_listed(*strict.result, eras, since, "damage makes no list shorter");
    }
    const auto tolerant = tolerant_list(damaged, era::metadata_state::live, since);
    if (tolerant.result) {
      require_listed(*tolerant.result, eras, since,
                     "damage makes no list shorter that goes on past it");
    }
  }
  if (const auto repaired = check_repair(damaged, {}); repaired.result) {
    require_kept(*repaired.result, eras, "a repair of damage makes no block's era earlier");
  }
  if (before.nr_blocks > 0) {
    era::repair_options geometry;
    geometry.data_block_size = before.block_size;
    geometry.nr_blocks = before.nr_blocks;
    const auto repaired = check_repair(damaged, geometry);
    if (repaired.result) {
      require_not_earlier(last_written(repaired.result->contents), eras,
                          "a repair to a known length makes no block's era earlier");
    } else {
      require(is_too_small(repaired.refusal), "what was era metadata can be repaired",
              repaired.refusal);
    }
  }
  const verdict checked(damaged);
  if (checked.summary.superblock_usable) {
    check_after_target(damaged, checked.summary.found, eras);
  }
}

}  // namespace fuzz
