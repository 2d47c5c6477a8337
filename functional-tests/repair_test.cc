// era_dump --repair: what is lost reads as written in the current era, everything else as it was.
#include <algorithm>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "catch.h"
#include "dump_parser.h"
#include "harness.h"
#include "metadata_bytes.h"
#include "questions.h"

namespace {

namespace node = harness::node;
namespace superblock = harness::superblock;
using harness::image;
using harness::metadata_bytes;
using harness::truth;

constexpr std::uint64_t eras_per_block = 1018;
constexpr std::uint64_t bits_per_block = std::uint64_t{509} * 64;

// A metadata block and the data blocks of which something is unknown without it.
struct victim {
  std::uint64_t block;
  std::set<std::uint64_t> lost;
};

// The data blocks whose elements the array blocks below a node hold.
std::set<std::uint64_t> held_by(const std::map<std::uint64_t, std::uint64_t>& array_blocks,
                                std::uint64_t per_block, std::uint64_t nr_blocks) {
  std::set<std::uint64_t> held;
  for (const auto& [index, block] : array_blocks) {
    for (auto i = index * per_block; i < std::min((index + 1) * per_block, nr_blocks); ++i) {
      held.insert(held.end(), i);
    }
  }
  return held;
}

// All nodes of an array, and some of its blocks with the first and the last among them.
std::vector<victim> array_victims(const metadata_bytes& m, std::uint64_t root,
                                  std::uint64_t per_block, std::uint64_t nr_blocks) {
  std::vector<std::uint64_t> nodes = {root};
  if (m.get32(root, node::flags) == 1) {
    for (std::uint32_t i = 0; i < m.get32(root, node::nr_entries); ++i) {
      nodes.push_back(m.get64(root, m.value_offset(root, i)));
    }
  }
  std::vector<victim> victims;
  victims.reserve(nodes.size());
  for (const auto each : nodes) {
    victims.push_back({each, held_by(m.array_blocks(each), per_block, nr_blocks)});
  }
  const auto blocks = m.array_blocks(root);
  const auto stride = blocks.size() / 3 + 1;
  std::size_t position = 0;
  for (const auto& entry : blocks) {
    if (position % stride == 0 || position + 1 == blocks.size()) {
      victims.push_back({entry.second, held_by({entry}, per_block, nr_blocks)});
    }
    ++position;
  }
  return victims;
}

// One state of an image, live or the snapshot, and how to ask for it.
struct state {
  state(const image& asked, bool of_snapshot)
      : source(asked),
        metadata(asked),
        eras(of_snapshot ? *asked.snapshot : asked.live),
        superblock(of_snapshot ? metadata.get64(0, superblock::snapshot) : 0) {
    if (of_snapshot) {
      options.emplace_back("--metadata-snapshot");
    }
  }

  std::uint64_t era_array() const { return metadata.get64(superblock, superblock::era_array); }
  std::uint64_t writeset_tree() const {
    return metadata.get64(superblock, superblock::writeset_tree);
  }
  // Archived ones and, live, the current one.
  std::vector<harness::writeset_root> writesets() const {
    auto all = metadata.writesets(writeset_tree());
    if (superblock == 0 && source.current_writeset_open) {
      all.push_back({eras.current_era, metadata.get32(0, superblock::current_nr_bits),
                     metadata.get64(0, superblock::current_root)});
    }
    return all;
  }

  const image& source;
  metadata_bytes metadata;
  truth eras;
  std::uint64_t superblock;
  std::vector<std::string> options = {harness::tool("era_dump"), "--repair"};
};

// The state with one block damaged (or none), and what --repair dumps of it.
struct patient {
  patient(const state& healthy, const std::optional<victim>& victim) {
    auto metadata = healthy.metadata;
    if (victim) {
      metadata.damage(victim->block, 2000, 0x10);
    }
    harness::write_file(path, metadata.bytes());
    plain = harness::run_bounded(healthy.options, path);
    auto logical_options = healthy.options;
    logical_options.emplace_back("--logical");
    logical = harness::run_bounded(logical_options, path);
  }

  harness::temporary_folder folder;
  std::string path = folder / "metadata";
  harness::result plain;
  harness::result logical;
};

std::vector<state> states(const std::vector<std::string>& names) {
  std::vector<state> all;
  for (const auto& name : names) {
    const auto& image = harness::image_named(name);
    all.emplace_back(image, false);
    if (image.snapshot) {
      all.emplace_back(image, true);
    }
  }
  return all;
}

std::vector<std::string> repaired_images() {
  std::vector<std::string> names = {"one_era", "random/r007", "power_cut"};
  if (harness::at_length()) {
    names.insert(names.end(), {"random/r002", "shrunk_gap", "undigested_remove"});
  }
  return names;
}

std::string name_of(const state& state, const victim& victim) {
  return state.source.name + (state.superblock == 0 ? "" : " (snapshot)") + ", block " +
         std::to_string(victim.block) + " damaged";
}

// Both dumps succeed, and report the block if something went with it.
void require_success(const patient& patient, const victim& victim) {
  for (const auto& got : {patient.plain, patient.logical}) {
    INFO(got.err);
    REQUIRE(got.status == 0);
    if (!victim.lost.empty()) {
      CHECK(harness::has_number(got.err, victim.block));
    }
  }
}

// Data blocks, of those that are lost or of the others, whose era is not as `good` demands.
template <typename Predicate>
std::uint64_t wrong(const std::vector<std::uint32_t>& got, const std::vector<std::uint32_t>& truth,
                    const std::set<std::uint64_t>& lost, bool of_lost, Predicate good) {
  REQUIRE(got.size() == truth.size());
  std::uint64_t count = 0;
  for (std::uint64_t block = 0; block < got.size(); ++block) {
    if (lost.contains(block) == of_lost && !good(got[block], truth[block])) {
      ++count;
    }
  }
  return count;
}

const auto equal_to_truth = [](std::uint32_t got, std::uint32_t truth) { return got == truth; };

void check_logical(const patient& patient, const state& healthy, const victim& victim) {
  const auto dump = harness::parse_dump(patient.logical.out);
  const auto current = healthy.eras.current_era;
  const auto truth = healthy.eras.eras();
  CHECK(dump.current_era == current);
  CHECK(dump.writesets.empty());
  CHECK(wrong(dump.era_array, truth, victim.lost, false, equal_to_truth) == 0);
  CHECK(wrong(dump.era_array, truth, victim.lost, true,
              [=](std::uint32_t got, std::uint32_t) { return got == current; }) == 0);
}

void check_plain(const patient& patient, const state& healthy, const victim& victim) {
  const auto dump = harness::parse_dump(patient.plain.out);
  const auto current = healthy.eras.current_era;
  const auto truth = healthy.eras.eras();
  CHECK(dump.current_era == current);
  CHECK(wrong(dump.fold(), truth, victim.lost, false, equal_to_truth) == 0);
  CHECK(wrong(dump.fold(), truth, victim.lost, true, [=](std::uint32_t got, std::uint32_t before) {
          return got >= before && got <= current;
        }) == 0);
}

void check_restored(const patient& patient, const state& healthy) {
  const auto restored = patient.folder / "restored";
  harness::make_zeroed(restored, healthy.source.metadata_bytes);
  harness::write_file(patient.folder / "xml", patient.plain.out);
  const auto restore =
      harness::run({harness::tool("era_restore"), "-i", patient.folder / "xml", "-o", restored});
  INFO(restore.err);
  CHECK(restore.status == 0);
  const auto checked = harness::run({harness::tool("era_check"), restored});
  INFO(checked.out);
  CHECK(checked.status == 0);
}

void check_loss(const state& healthy, const victim& victim) {
  INFO(name_of(healthy, victim));
  const patient patient(healthy, victim);
  require_success(patient, victim);
  check_logical(patient, healthy, victim);
  check_plain(patient, healthy, victim);
}

}  // namespace

TEST_CASE("era_dump --repair: blocks lost from the era array were written in the current era",
          "[slow]") {
  for (const auto& healthy : states(repaired_images())) {
    for (const auto& victim : array_victims(healthy.metadata, healthy.era_array(), eras_per_block,
                                            healthy.eras.nr_blocks)) {
      check_loss(healthy, victim);
    }
  }
}

TEST_CASE("era_dump --repair: blocks lost from a writeset were written in the current era",
          "[slow]") {
  for (const auto& healthy : states(repaired_images())) {
    const auto writesets = healthy.writesets();
    // The oldest, the newest and some in between.
    const std::size_t step = harness::at_length() ? 1 : writesets.size() / 3 + 1;
    for (std::size_t i = 0; i < writesets.size(); ++i) {
      if (i % step != 0 && i + 1 != writesets.size()) {
        continue;
      }
      const auto& writeset = writesets[i];
      const auto nr_bits = std::min<std::uint64_t>(writeset.nr_bits, healthy.eras.nr_blocks);
      for (const auto& victim :
           array_victims(healthy.metadata, writeset.root, bits_per_block, nr_bits)) {
        check_loss(healthy, victim);
      }
    }
  }
}

TEST_CASE(
    "era_dump --repair: without the writeset tree every block was written in the current era") {
  for (const auto& healthy : states(repaired_images())) {
    victim victim = {healthy.writeset_tree(), {}};
    for (std::uint64_t block = 0; block < healthy.eras.nr_blocks; ++block) {
      victim.lost.insert(victim.lost.end(), block);
    }
    check_loss(healthy, victim);
  }
}

TEST_CASE("era_dump --repair: an era that is open and archived too is dumped once, and restores") {
  state lying(harness::image_named("power_cut"), false);
  const auto archived = lying.writesets().rbegin()[1];
  REQUIRE(archived.era == lying.eras.current_era - 1);
  lying.metadata.set32(0, superblock::current_era, archived.era);
  const patient patient(lying, std::nullopt);
  require_success(patient, {0, {}});

  // What was written in the open era now counts as written in the one before.
  auto expected = lying.eras.eras();
  for (auto& era : expected) {
    era = std::min(era, archived.era);
  }
  CHECK(harness::parse_dump(patient.plain.out).fold() == expected);
  CHECK(harness::parse_dump(patient.logical.out).era_array == expected);
  check_restored(patient, lying);
}

TEST_CASE("a repaired dump restores to clean metadata") {
  for (const auto& healthy : states({"one_era", "random/r002", "random/r007"})) {
    for (const auto block : {healthy.era_array(), healthy.writeset_tree(),
                             healthy.metadata.array_blocks(healthy.era_array()).at(0)}) {
      const victim victim = {block, {}};
      INFO(name_of(healthy, victim));
      check_restored(patient(healthy, victim), healthy);
    }
  }
}

TEST_CASE("damage that --repair repairs ends a dump without it, and nothing is printed") {
  for (const auto& healthy : states({"one_era", "random/r002"})) {
    const victim victim = {healthy.metadata.array_blocks(healthy.era_array()).at(0), {}};
    INFO(name_of(healthy, victim));
    const patient patient(healthy, victim);
    auto strict = healthy.options;
    std::erase(strict, "--repair");
    CHECK(harness::is_refusal(harness::run_bounded(strict, patient.path), patient.path));
    strict.emplace_back("--logical");
    CHECK(harness::is_refusal(harness::run_bounded(strict, patient.path), patient.path));
  }
}
