#include "problem_recipes.h"

#include <algorithm>
#include <regex>
#include <sstream>
#include <stdexcept>

#include "fixtures.h"

namespace problems {
namespace {

namespace array = harness::array;
namespace node = harness::node;
namespace superblock = harness::superblock;
using fixtures::document;
using harness::add32;
using harness::add64;
using harness::era_array;
using harness::first_bitset;
using harness::image_named;
using harness::metadata_bytes;
using harness::metadata_size;
using harness::node_entry;
using harness::set_child;
using harness::set_key;
using harness::space_map_index;
using harness::writeset_tree;

constexpr std::uint64_t eras_in_a_block = 1018;
constexpr std::uint32_t least_entries = 84;  // of an internal node or a leaf of an array's tree
constexpr unsigned deepest = 24;             // level of a tree

// Sound metadata.

metadata_bytes one_era() {
  return metadata_bytes(image_named("one_era"));
}

// An era array of two leaves, and an open writeset.
metadata_bytes power_cut() {
  return metadata_bytes(image_named("power_cut"));
}

metadata_bytes snapshot() {
  return metadata_bytes(image_named("snap_held"));
}

// Small, with the eras 4 and 5 archived, of which 5 is the current one.
metadata_bytes example() {
  return restored(fixtures::example().xml());
}

metadata_bytes five_over() {
  document shrinking = {128, eras_in_a_block + 5, 3, {}, {{0, 1}, {1017, 2}, {1022, 3}}};
  return restored(shrinking.xml());
}

metadata_bytes never_resumed() {
  return restored(document{128, 0, 0}.xml());
}

// Array blocks enough for an internal node of the fewest children, each with the fewest entries,
// and one leaf more.
metadata_bytes many_array_blocks() {
  const std::uint64_t blocks = eras_in_a_block * least_entries * (least_entries + 1);
  const std::string last = std::to_string(blocks - 1);
  return restored("<superblock uuid=\"\" block_size=\"8\" nr_blocks=\"" + std::to_string(blocks) +
                      "\" current_era=\"9\"><era_array><era block=\"0\" era=\"7\"/><era block=\"" +
                      last + "\" era=\"8\"/></era_array></superblock>",
                  7500);
}

// Places.

std::uint64_t child(const metadata_bytes& m, std::uint64_t node, std::uint32_t entry) {
  return m.get64(node, m.value_offset(node, entry));
}

std::uint64_t snapshot_copy(const metadata_bytes& m) {
  return m.get64(0, superblock::snapshot);
}

std::vector<node_entry> entries_of(const metadata_bytes& m, std::uint64_t root) {
  std::vector<node_entry> all;
  for (const auto& [key, block] : m.array_blocks(root)) {
    all.push_back({key, block});
  }
  return all;
}

std::vector<node_entry> part(const std::vector<node_entry>& of, std::size_t first,
                             std::size_t count) {
  const auto begin = of.begin() + static_cast<std::ptrdiff_t>(first);
  return {begin, begin + static_cast<std::ptrdiff_t>(std::min(count, of.size() - first))};
}

// Changes of many steps.

// Moves entries from the second leaf to the first, until that is full.
finding empty_second_leaf(metadata_bytes& m) {
  const auto all = entries_of(m, era_array(m));
  const auto first = child(m, era_array(m), 0);
  const auto second = child(m, era_array(m), 1);
  m.make_node(first, true, part(all, 0, 252));
  m.make_node(second, true, part(all, 252, 252));
  set_key(m, era_array(m), 1, all.at(252).key);
  return second;
}

// All leaves of the era array one level down but the last, in full enough nodes.
finding raise_last_leaf(metadata_bytes& m) {
  const auto root = era_array(m);
  const auto all = entries_of(m, root);
  std::vector<std::uint64_t> nodes;
  for (std::uint32_t i = 0; i < m.get32(root, node::nr_entries); ++i) {
    nodes.push_back(child(m, root, i));
  }
  while (nodes.size() < least_entries + 2) {
    nodes.push_back(m.take_block());
  }
  std::vector<node_entry> below;
  for (std::size_t i = 0; i <= least_entries; ++i) {
    m.make_node(nodes[i], true, part(all, i * least_entries, least_entries));
    below.push_back({i * least_entries, nodes[i]});
  }
  const node_entry last = below.back();
  below.pop_back();
  m.make_node(nodes.back(), false, below);
  m.make_node(root, false, {{0, nodes.back()}, last});
  return last.block;
}

// A chain of nodes with one child each between the root and its leaf.
finding deepen(metadata_bytes& m) {
  const auto root = era_array(m);
  const auto leaf = m.take_block();
  m.copy_node(root, leaf);
  std::vector<std::uint64_t> chain = {root};
  while (chain.size() < deepest) {
    chain.push_back(m.take_block());
  }
  std::vector<reported> underfull;
  for (std::size_t i = 0; i < chain.size(); ++i) {
    m.make_node(chain[i], false, {{0, i + 1 < chain.size() ? chain[i + 1] : leaf}});
    if (i > 0 && i + 1 < chain.size()) {
      underfull.push_back({"node-underfull", chain[i]});
    }
  }
  return {chain.back(), underfull};
}

// Two eras with one bitset, which is counted twice.
finding share_bitset(metadata_bytes& m) {
  const auto shared = first_bitset(m);
  m.set64(writeset_tree(m), m.value_offset(writeset_tree(m), 1) + 4, shared);
  m.set_count(shared, 2);
  return shared;
}

finding archive_current(metadata_bytes& m) {
  const auto last = m.writesets(writeset_tree(m)).back().root;
  m.set64(0, superblock::current_root, last);
  m.set_count(last, 2);
  return {last, {{"block-seen-twice", last}}};
}

// Makes a field of the superblock `value`.
std::function<finding(metadata_bytes&)> field(std::size_t offset, std::uint32_t value) {
  return [=](metadata_bytes& m) {
    m.set32(0, offset, value);
    return finding(0);
  };
}

std::vector<recipe> block_recipes() {
  const auto damage = [](metadata_bytes& m) {
    m.damage(first_eras(m), 2000, 0x10);
    return finding(first_eras(m));
  };
  return {
      {"block-out-of-range", answer::none, one_era,
       [](metadata_bytes& m) {
         set_child(m, era_array(m), 0, metadata_size(m));
         return finding(metadata_size(m));
       }},
      {.code = "block-unreadable",
       .readers = answer::none,
       .sound = one_era,
       .change = [](metadata_bytes& m) { return finding(first_eras(m)); },
       .unreadable = true},
      {"block-checksum", answer::none, one_era, damage},
      {"block-number", answer::none, one_era,
       [](metadata_bytes& m) {
         const auto block = first_eras(m);
         add64(m, block, array::blocknr, 1);
         return finding(block);
       }},
      {"block-seen-twice", answer::none, example, share_bitset},
  };
}

std::vector<recipe> node_recipes() {
  return {
      {"node-header", answer::none, one_era,
       [](metadata_bytes& m) {
         m.set32(era_array(m), node::flags, 4);
         return finding(era_array(m));
       }},
      {"node-empty", answer::none, power_cut,
       [](metadata_bytes& m) {
         const auto leaf = child(m, era_array(m), 1);
         m.set32(leaf, node::nr_entries, 0);
         return finding(leaf);
       }},
      {"node-key-order", answer::none, one_era,
       [](metadata_bytes& m) {
         set_key(m, era_array(m), 1, 0);
         return finding(era_array(m));
       }},
      {"node-key-range", answer::none, power_cut,
       [](metadata_bytes& m) {
         const auto leaf = child(m, era_array(m), 0);
         set_key(m, leaf, m.get32(leaf, node::nr_entries) - 1,
                 m.get64(era_array(m), node::keys + 8));
         return finding(leaf);
       }},
      {"node-leaf-depth", answer::none, many_array_blocks, raise_last_leaf},
      {.code = "tree-too-deep",
       .readers = answer::none,
       .sound = one_era,
       .change = deepen,
       .why_not_alone = "84 children for every node would be 84^23 blocks"},
      {"node-underfull", answer::sound, power_cut, empty_second_leaf},
      {"node-odd-maximum", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.make_node(era_array(m), true, entries_of(m, era_array(m)), 249);
         return finding(era_array(m));
       }},
  };
}

std::vector<recipe> array_recipes() {
  return {
      {"array-block-missing", answer::none, one_era,
       [](metadata_bytes& m) {
         m.set32(era_array(m), node::nr_entries, 1);
         return finding(era_array(m));
       }},
      {"array-block-header", answer::none, one_era,
       [](metadata_bytes& m) {
         add32(m, first_eras(m), array::max_entries, -1);
         return finding(first_eras(m));
       }},
      {"array-block-entries", answer::none, one_era,
       [](metadata_bytes& m) {
         add32(m, first_eras(m), array::nr_entries, -1);
         return finding(first_eras(m));
       }},
      {.code = "array-block-stale",
       .readers = answer::changed,
       .sound = five_over,
       .change =
           [](metadata_bytes& m) {
             m.set32(0, superblock::nr_blocks, eras_in_a_block);
             return finding(m.array_blocks(era_array(m)).at(1));
           },
       .change_answer = [](eras& of) { of.resize(eras_in_a_block); }},
  };
}

std::vector<recipe> map_recipes() {
  return {
      {"map-root", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.set64(0, superblock::map_nr_blocks, 0);
         return finding(0);
       }},
      {"map-smaller", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.resize(metadata_size(m) + 16);
         return finding(0);
       }},
      {"map-index-entry", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.set32(space_map_index(m), 16 + 16 * 200 + 8, 5);
         return finding(space_map_index(m));
       }},
      {"map-count-tree", answer::sound, one_era,
       [](metadata_bytes& m) {
         const auto counts = m.get64(0, superblock::map_counts);
         set_key(m, counts, 0, era_array(m));
         m.set32(counts, m.value_offset(counts, 0), 3);
         m.set32(counts, node::nr_entries, 1);
         return finding(era_array(m));
       }},
      {"map-nr-allocated", answer::sound, one_era,
       [](metadata_bytes& m) {
         add64(m, 0, superblock::map_nr_allocated, -1);
         return finding(0);
       }},
      {"map-nr-free", answer::sound, one_era,
       [](metadata_bytes& m) {
         add32(m, space_map_index(m), 24, 1);
         return finding(space_map_index(m));
       }},
      {"map-none-free-before", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.set32(space_map_index(m), 28, static_cast<std::uint32_t>(m.first_free_block() + 1));
         return finding(space_map_index(m));
       }},
      {"map-beyond-the-end", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.set_count(metadata_size(m) + 3, 1);
         return finding(harness::first_bitmap(m));
       }},
      {"count-too-low", answer::sound, one_era,
       [](metadata_bytes& m) {
         m.free_block(first_eras(m));
         return finding(first_eras(m));
       }},
      {"count-too-high", answer::sound, one_era,
       [](metadata_bytes& m) { return finding(m.take_block()); }},
      {"map-hints-never-resumed", answer::sound, never_resumed,
       [](metadata_bytes& m) {
         add32(m, space_map_index(m), 24, 2);
         return finding(space_map_index(m));
       }},
  };
}

std::vector<recipe> superblock_recipes() {
  return {
      {"superblock-checksum", answer::none, one_era,
       [](metadata_bytes& m) {
         m.damage(0, 200, 1);
         return finding(0);
       }},
      {"superblock-number", answer::none, one_era, field(superblock::blocknr, 1)},
      {"superblock-magic", answer::none, one_era, field(superblock::magic, 27022010)},
      {"superblock-version", answer::none, one_era, field(superblock::version, 2)},
      {"superblock-metadata-block-size", answer::none, one_era,
       field(superblock::metadata_block_size, 16)},
      {"superblock-roots", answer::none, one_era,
       [](metadata_bytes& m) {
         m.set64(0, superblock::writeset_tree, era_array(m));
         return finding(0);
       }},
      {"superblock-nr-blocks", answer::none, one_era, field(superblock::nr_blocks, 0x80000000)},
      {.code = "superblock-block-size",
       .readers = answer::none,
       .sound = one_era,
       .change = field(superblock::data_block_size, 127),
       .repair_options = {"--data-block-size", "128"}},
      {"superblock-flags", answer::sound, one_era, field(superblock::flags, 2)},
      {"superblock-reserved", answer::sound, one_era, field(300, 1)},
      {"device-cut-off", answer::none, one_era,
       [](metadata_bytes& m) {
         m.resize(m.used_blocks().back() + 1);
         return finding(0);
       }},
      {"snapshot-superblock", answer::sound, snapshot,
       [](metadata_bytes& m) {
         const auto copy = snapshot_copy(m);
         m.set32(copy, superblock::data_block_size, 2 * m.get32(copy, superblock::data_block_size));
         return finding(copy);
       }},
  };
}

std::vector<recipe> era_recipes() {
  return {
      {"writeset-era", answer::none, one_era,
       [](metadata_bytes& m) {
         set_key(m, writeset_tree(m), 0, 2);
         return finding(first_bitset(m));
       }},
      {"writeset-size", answer::none, one_era,
       [](metadata_bytes& m) {
         m.set32(writeset_tree(m), m.value_offset(writeset_tree(m), 0), 10'000'000);
         return finding(first_bitset(m));
       }},
      {"writeset-nr-bits", answer::sound, example,
       [](metadata_bytes& m) {
         m.set32(writeset_tree(m), m.value_offset(writeset_tree(m), 0), 12);
         return finding(first_bitset(m));
       }},
      {"writeset-bits-beyond", answer::sound, example,
       [](metadata_bytes& m) {
         const auto bits = m.array_blocks(first_bitset(m)).at(0);
         m.set64(bits, array::values, m.get64(bits, array::values) | 1 << 20);
         return finding(bits);
       }},
      {"writeset-gap", answer::none, example,
       [](metadata_bytes& m) {
         set_key(m, writeset_tree(m), 0, 3);
         return finding(first_bitset(m));
       }},
      {.code = "current-writeset-archived",
       .readers = answer::none,
       .sound = power_cut,
       .change = archive_current,
       .why_not_alone = "a bitset of two eras has two pointers"},
      {"era-above-current", answer::none, one_era,
       [](metadata_bytes& m) {
         m.set32(first_eras(m), array::values, 2);
         return finding(first_eras(m));
       }},
      {.code = "era-above-archived",
       .readers = answer::changed,
       .sound = example,
       .change =
           [](metadata_bytes& m) {
             m.set32(first_eras(m), array::values, 5);
             return finding(first_eras(m));
           },
       .change_answer = [](eras& of) { of.at(0) = 5; }},
  };
}

}  // namespace

const std::vector<recipe>& recipes() {
  static const std::vector<recipe> all = [] {
    std::vector<recipe> joined;
    for (const auto& some : {block_recipes(), node_recipes(), array_recipes(), map_recipes(),
                             superblock_recipes(), era_recipes()}) {
      joined.insert(joined.end(), some.begin(), some.end());
    }
    return joined;
  }();
  return all;
}

const std::vector<row>& table() {
  static const std::vector<row> rows = [] {
    const std::regex pattern(R"(\| `([-a-z]+)` \| ([-a-z]+) \| .*)");
    std::istringstream page(harness::read_file(SOURCE_FOLDER "/doc/problems.md"));
    std::vector<row> found;
    std::smatch match;
    for (std::string line; std::getline(page, line);) {
      if (std::regex_match(line, match, pattern)) {
        found.push_back({match[1], match[2]});
      }
    }
    return found;
  }();
  return rows;
}

const std::string& severity_of(const std::string& code) {
  for (const row& each : table()) {
    if (each.code == code) {
      return each.severity;
    }
  }
  throw std::out_of_range("doc/problems.md has no " + code);
}

std::uint64_t first_eras(const metadata_bytes& m) {
  return m.array_blocks(era_array(m)).at(0);
}

metadata_bytes restored(const std::string& xml, std::uint64_t blocks) {
  const harness::temporary_folder folder;
  const auto path = folder / "metadata";
  fixtures::restore(xml, path, blocks * harness::metadata_block_size);
  return metadata_bytes(harness::read_file(path));
}

}  // namespace problems
