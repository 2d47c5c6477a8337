// era_check goes on after damage and says each thing once; and no metadata, whatever it says of
// itself, costs a tool more time, memory or output than its size allows.
#include <algorithm>
#include <chrono>
#include <functional>
#include <sstream>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"
#include "problem_recipes.h"
#include "questions.h"

namespace {

namespace node = harness::node;
namespace superblock = harness::superblock;
using harness::era_array;
using harness::first_bitset;
using harness::metadata_bytes;
using harness::node_entry;
using harness::temporary_folder;
using harness::writeset_tree;

using words = std::vector<std::string>;

// What a tool did, and what it took.
struct measured {
  int status;
  double seconds;
  std::uint64_t memory;
  std::uint64_t lines;
  std::string err;
};

std::uint64_t lines_of(const std::string& text) {
  return static_cast<std::uint64_t>(std::count(text.begin(), text.end(), '\n'));
}

measured measure(const words& call, const std::string& path, const std::string& out) {
  words command = call;
  command[0] = harness::tool(call[0]);
  command.push_back(path);
  harness::run_options options;
  options.seconds = 20;
  options.memory_limit = std::uint64_t{1} << 30;
  options.watch_memory = true;
  options.stdout_path = out;
  const auto start = std::chrono::steady_clock::now();
  const auto got = harness::run(command, options);
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
  return {got.status, took.count(), got.peak_memory, lines_of(harness::read_file(out)), got.err};
}

// Metadata that says too much of itself.
struct lie {
  std::string what;
  std::function<metadata_bytes()> make;
  std::uint64_t least_lines = 1;  // of era_check's report
};

metadata_bytes changed(metadata_bytes m, const std::function<void(metadata_bytes&)>& change) {
  change(m);
  return m;
}

metadata_bytes one_era() {
  return metadata_bytes(harness::image_named("one_era"));
}

// Metadata of many blocks, the most of them free.
metadata_bytes roomy() {
  return problems::restored(fixtures::example().xml(), 2048);
}

// `count` entries with these keys, which all name one block.
std::vector<node_entry> all_to(std::uint64_t block, std::uint64_t first_key, std::uint64_t step,
                               std::uint64_t count) {
  std::vector<node_entry> entries;
  for (std::uint64_t i = 0; i < count; ++i) {
    entries.push_back({first_key + i * step, block});
  }
  return entries;
}

constexpr std::uint32_t full = 252;
constexpr std::uint32_t full_of_writesets = 201;

// A root with 252 full leaves, of which every entry names the array block 0.
metadata_bytes leaves_to_one_array_block() {
  return changed(roomy(), [](metadata_bytes& m) {
    const auto block = problems::first_eras(m);
    std::vector<node_entry> leaves;
    for (std::uint64_t i = 0; i < full; ++i) {
      const auto leaf = m.take_block();
      m.make_node(leaf, true, all_to(block, i * full, 1, full));
      leaves.push_back({i * full, leaf});
    }
    m.make_node(era_array(m), false, leaves);
    m.set32(0, superblock::nr_blocks, 2'000'000);
  });
}

// A root with 252 children that are all the same internal node, whose 252 are all one leaf.
metadata_bytes children_that_are_one() {
  return changed(roomy(), [](metadata_bytes& m) {
    const auto leaf = m.take_block();
    const auto inner = m.take_block();
    m.copy_node(era_array(m), leaf);
    m.make_node(inner, false, all_to(leaf, 0, 1, full));
    m.make_node(era_array(m), false, all_to(inner, 0, full, full));
  });
}

// 201 writesets in each of 252 leaves, which all name one bitset.
metadata_bytes writesets_with_one_bitset() {
  return changed(roomy(), [](metadata_bytes& m) {
    const auto tree = writeset_tree(m);
    const auto bitset = first_bitset(m);
    std::vector<node_entry> leaves;
    for (std::uint32_t i = 0; i < full; ++i) {
      const std::uint32_t first = 1 + i * full_of_writesets;
      leaves.push_back({first, m.take_block()});
      m.make_writesets(leaves.back().block, first, full_of_writesets, 10, bitset);
    }
    m.make_node(tree, false, leaves);
    m.set32(0, superblock::current_era, full * full_of_writesets);
  });
}

// A root and one node below the other, down to the root's leaf or back to the root.
metadata_bytes chain(std::uint64_t length, bool cycle) {
  return changed(one_era(), [=](metadata_bytes& m) {
    const auto leaf = m.take_block();
    m.copy_node(era_array(m), leaf);
    std::uint64_t at = era_array(m);
    for (std::uint64_t i = 1; i < length; ++i) {
      const auto next = m.take_block();
      m.make_node(at, false, {{0, next}});
      at = next;
    }
    m.make_node(at, false, {{0, cycle ? era_array(m) : leaf}});
  });
}

metadata_bytes with_field(std::size_t offset, std::uint32_t value) {
  return changed(one_era(), [=](metadata_bytes& m) { m.set32(0, offset, value); });
}

metadata_bytes with_nr_bits(std::uint32_t nr_bits) {
  return changed(one_era(), [=](metadata_bytes& m) {
    m.set32(writeset_tree(m), m.value_offset(writeset_tree(m), 0), nr_bits);
  });
}

const std::vector<lie> lies = {
    {"every entry of 252 full leaves names one array block", leaves_to_one_array_block, 1000},
    {"252 children are one node, and its children one leaf", children_that_are_one},
    {"201 writesets in each of 252 leaves have one bitset", writesets_with_one_bitset, 1000},
    {"a root that is its own child", [] { return chain(1, true); }},
    {"a cycle of 20 levels", [] { return chain(20, true); }},
    {"a cycle of 200 levels", [] { return chain(200, true); }},
    {"a tree of 200 levels", [] { return chain(200, false); }},
    {"2^31 - 1 data blocks on 1 MiB", [] { return with_field(superblock::nr_blocks, 0x7FFFFFFF); }},
    {"all data blocks that 1 MiB has room for",
     [] { return with_field(superblock::nr_blocks, 256 * 1018); }},
    {"a writeset of 2^32 - 1 bits", [] { return with_nr_bits(0xFFFFFFFF); }},
    {"a writeset of all bits that 1 MiB has room for", [] { return with_nr_bits(256 * 509 * 64); }},
};

// Bounds for any of these, far below what a kernel's metadata of 2^31 data blocks would take.
constexpr double most_seconds = 10;
constexpr std::uint64_t most_memory = std::uint64_t{96} << 20;
constexpr std::uint64_t most_lines_of_a_report = 3500;  // a thousand of a few codes

void check_bounds(const measured& got) {
  CHECK(got.seconds < most_seconds);
  if (!harness::sanitized()) {
    CHECK(got.memory < most_memory);
  }
}

std::string cell(const measured& got) {
  std::ostringstream text;
  text.precision(1);
  text << std::fixed << got.status << ", " << got.seconds << " s, " << (got.memory >> 20)
       << " MiB, " << got.lines << " lines";
  return text.str();
}

// The report of era_check without its summary.
words report_of(const metadata_bytes& m) {
  const temporary_folder folder;
  const auto path = folder / "metadata";
  harness::write_file(path, m.bytes());
  const auto got = harness::run_bounded({harness::tool("era_check")}, path);
  CHECK(got.status == 1);
  words lines;
  std::istringstream report(got.out);
  for (std::string line; std::getline(report, line) && line.rfind(path, 0) != 0;) {
    lines.push_back(line);
  }
  return lines;
}

std::size_t naming(const words& lines, const std::string& code, std::uint64_t block) {
  const std::string wanted = " " + code + " block " + std::to_string(block) + " (";
  return static_cast<std::size_t>(std::count_if(
      lines.begin(), lines.end(),
      [&](const std::string& line) { return line.find(wanted) != std::string::npos; }));
}

// The array blocks that only one of two arrays has.
std::vector<std::uint64_t> only_in(const metadata_bytes& m, std::uint64_t one,
                                   std::uint64_t other) {
  const auto theirs = m.array_blocks(other);
  std::vector<std::uint64_t> found;
  for (const auto& [key, block] : m.array_blocks(one)) {
    if (theirs.count(key) == 0 || theirs.at(key) != block) {
      found.push_back(block);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("era_check goes on after damage, to the other trees and to the snapshot") {
  metadata_bytes m(harness::image_named("snap_held"));
  const auto copy = m.get64(0, superblock::snapshot);
  const auto theirs = m.get64(copy, superblock::era_array);
  const auto live_only = only_in(m, era_array(m), theirs);
  const auto snapshot_only = only_in(m, theirs, era_array(m));
  REQUIRE_FALSE(live_only.empty());
  REQUIRE_FALSE(snapshot_only.empty());
  const auto bits = m.array_blocks(m.writesets(writeset_tree(m)).back().root).at(0);
  for (const auto block : {live_only.back(), snapshot_only.back(), bits}) {
    m.damage(block, 3000, 1);
  }
  const auto report = report_of(m);
  CHECK(report.size() == 3);
  for (const auto block : {live_only.back(), snapshot_only.back(), bits}) {
    CHECK(naming(report, "block-checksum", block) == 1);
  }
}

TEST_CASE("era_check says of a shared block once for each state what is lost there") {
  metadata_bytes m(harness::image_named("snap_held"));
  const auto copy = m.get64(0, superblock::snapshot);
  std::uint64_t shared = 0;
  const auto theirs = m.array_blocks(m.get64(copy, superblock::era_array));
  for (const auto& [key, block] : m.array_blocks(era_array(m))) {
    shared = theirs.at(key) == block ? block : shared;
  }
  REQUIRE(shared != 0);
  m.damage(shared, 3000, 1);
  const auto report = report_of(m);
  REQUIRE(report.size() == 2);
  CHECK(naming(report, "block-checksum", shared) == 2);
  CHECK_THAT(report[0], !Catch::Contains("metadata snapshot"));
  CHECK_THAT(report[1], Catch::Contains("metadata snapshot, era array"));
}

TEST_CASE("era_check reports a block that is named from two places once") {
  const auto report = report_of(changed(one_era(), [](metadata_bytes& m) {
    const auto block = problems::first_eras(m);
    harness::set_child(m, era_array(m), 1, block);
    m.set_count(block, 2);
  }));
  REQUIRE(report.size() == 1);
  CHECK_THAT(report[0], Catch::Contains("block-seen-twice"));
}

TEST_CASE("era_check calls nothing a leak below a torn tree") {
  const metadata_bytes good(harness::image_named("power_cut"));
  for (const auto torn :
       {era_array(good), writeset_tree(good), good.get64(0, superblock::current_root)}) {
    const auto report =
        report_of(changed(good, [&](metadata_bytes& m) { m.damage(torn, 3000, 1); }));
    INFO(torn);
    CHECK(report.size() == 1);
    CHECK(naming(report, "block-checksum", torn) == 1);
  }
}

TEST_CASE("no metadata costs a tool more than its size allows") {
  std::vector<words> table = {{"metadata", "era_check", "era_dump", "era_invalidate",
                               "era_dump --repair --compact", "era_repair"}};
  const temporary_folder folder;
  const auto path = folder / "metadata";
  const auto out = folder / "out";
  const auto repaired = folder / "repaired";
  for (const auto& lie : lies) {
    INFO(lie.what);
    harness::write_file(path, lie.make().bytes());
    const auto check = measure({"era_check"}, path, out);
    CHECK(check.status == 1);
    CHECK(check.lines >= lie.least_lines);
    CHECK(check.lines < most_lines_of_a_report);
    check_bounds(check);
    words row = {lie.what, cell(check)};
    for (const words& call : {words{"era_dump"}, words{"era_invalidate", "--written-since", "1"}}) {
      const auto got = measure(call, path, out);
      CHECK(got.status == 1);
      CHECK(got.lines == 0);
      CHECK_THAT(got.err, Catch::Contains(path));
      check_bounds(got);
      row.push_back(cell(got));
    }
    harness::make_zeroed(repaired, std::uint64_t{16} << 20);
    for (const words& call :
         {words{"era_dump", "--repair", "--compact"}, words{"era_repair", "-o", repaired, "-i"}}) {
      const auto got = measure(call, path, out);
      INFO(got.err);
      CHECK(got.status == 0);
      check_bounds(got);
      row.push_back(cell(got));
    }
    CHECK(fixtures::call("era_check", {repaired}).status == 0);
    table.push_back(row);
  }
  harness::print_table(table);
}
