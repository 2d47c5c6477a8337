// Metadata that lies with right checksums. Each line of the tables is one lie; era_check must find
// it, and no tool may crash, hang, eat memory or print something wrong because of it.
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "catch.h"
#include "dump_parser.h"
#include "harness.h"
#include "metadata_bytes.h"
#include "questions.h"

namespace {

namespace array = harness::array;
namespace node = harness::node;
namespace superblock = harness::superblock;
using harness::add32;
using harness::add64;
using harness::block_kind;
using harness::era_array;
using harness::first_bitmap;
using harness::first_bitset;
using harness::image;
using harness::metadata_bytes;
using harness::metadata_size;
using harness::question;
using harness::set_child;
using harness::set_key;
using harness::space_map_index;
using harness::writeset_tree;

constexpr std::uint32_t max32 = 0xFFFFFFFF;
constexpr std::uint64_t max64 = 0xFFFFFFFFFFFFFFFF;
// As a count of blocks this is 2^64 bytes: offsets computed from it come out as small ones.
constexpr std::uint64_t wrapping = std::uint64_t{1} << 52;

// What a reader does with the lie.
enum class reply {
  refusal,     // it needs what is wrong, and says so
  right,       // it doesn't need it, and answers as if nothing were wrong
  either,      // depends on how it reads
  unspecified  // no answer is right: a refusal, or what the lie makes of it
};

struct lie {
  std::string what;
  std::function<void(metadata_bytes&)> apply;
  reply live;
  reply snapshot = reply::unspecified;
  // A block that era_check must name.
  std::optional<std::uint64_t> named = std::nullopt;
  // Whether era_dump --repair is tried too: not where the lie makes its output endless, or its
  // truth another.
  bool repairable = true;
};

void judge_check(const lie& lie, const std::string& path) {
  const auto got = harness::run_bounded({harness::tool("era_check")}, path);
  INFO("era_check: " << got.out << got.err);
  CHECK(got.status == 1);
  CHECK_THAT(got.err, Catch::Contains(path));
  CHECK(got.err.find('\n') == got.err.size() - 1);
  CHECK_FALSE(got.out.empty());
  if (lie.named) {
    CHECK(harness::names_block(got.out, *lie.named));
  }
}

void judge_reader(const question& question, reply expected, const std::string& path) {
  const auto got = harness::run_bounded(question.arguments, path);
  INFO(question.text() << ": exit status " << got.status << ", stderr: " << got.err);
  const bool refused = harness::is_refusal(got, path);
  const bool right = harness::is_right(got, question.answer);
  switch (expected) {
    case reply::refusal:
      CHECK(refused);
      break;
    case reply::right:
      CHECK(right);
      break;
    case reply::either:
      CHECK((refused || right));
      break;
    case reply::unspecified:
      CHECK((refused || got.status == 0));
      break;
  }
}

// A repaired dump is well formed and on the safe side, or there is none.
void judge_repair(const harness::truth& truth, const std::string& path) {
  const auto got = harness::run_bounded({harness::tool("era_dump"), "--repair"}, path);
  INFO("era_dump --repair: exit status " << got.status << ", stderr: " << got.err);
  if (got.status != 0) {
    CHECK(harness::is_refusal(got, path));
    return;
  }
  const auto eras = harness::parse_dump(got.out).fold();
  const auto expected = truth.eras();
  REQUIRE(eras.size() == expected.size());
  std::uint64_t too_old = 0;
  for (std::size_t block = 0; block < eras.size(); ++block) {
    too_old += eras[block] < expected[block] ? 1 : 0;
  }
  CHECK(too_old == 0);
}

void tell_all(const std::string& image_name, const std::vector<lie>& lies) {
  const auto& image = harness::image_named(image_name);
  const metadata_bytes truthful(image);
  const auto questions = harness::questions(image);
  const harness::temporary_folder folder;
  const auto path = folder / "metadata";
  for (const auto& lie : lies) {
    INFO(image_name << ": " << lie.what);
    auto lying = truthful;
    lie.apply(lying);
    REQUIRE(lying.bytes() != truthful.bytes());
    harness::write_file(path, lying.bytes());
    judge_check(lie, path);
    for (const auto& question : questions) {
      judge_reader(question, question.of_snapshot ? lie.snapshot : lie.live, path);
    }
    if (lie.repairable) {
      judge_repair(image.live, path);
    }
  }
}

// Lies about the header of a btree node that make it unreadable.
std::vector<lie> node_lies(const std::string& name, std::uint64_t block) {
  const auto field = [&](const std::string& what, std::size_t offset, std::uint32_t value) {
    return lie{name + what, [=](metadata_bytes& m) { m.set32(block, offset, value); },
               reply::refusal, reply::refusal, block};
  };
  const auto change = [&](const std::string& what, std::size_t offset, int difference) {
    return lie{name + what, [=](metadata_bytes& m) { add32(m, block, offset, difference); },
               reply::refusal, reply::refusal, block};
  };
  return {
      field(": neither leaf nor internal", node::flags, 0),
      field(": leaf and internal", node::flags, 3),
      // Its entries may be children as well, so it is they that are found wrong.
      {name + ": internal instead of leaf",
       [=](metadata_bytes& m) { m.set32(block, node::flags, 1); }, reply::refusal, reply::refusal},
      field(": flags unknown", node::flags, 4),
      field(": nr_entries over max_entries", node::nr_entries, 253),
      field(": nr_entries huge", node::nr_entries, max32),
      field(": max_entries 0", node::max_entries, 0),
      field(": max_entries more than fits", node::max_entries, 510),
      field(": max_entries huge", node::max_entries, max32),
      field(": max_entries so that its area wraps to a small size", node::max_entries, 0x20000000),
      change(": max_entries one more", node::max_entries, 1),
      field(": value_size 0", node::value_size, 0),
      field(": value_size 4", node::value_size, 4),
      field(": value_size huge", node::value_size, max32),
      change(": blocknr of its neighbour", node::blocknr, 1),
      {name + ": sealed as an array block",
       [=](metadata_bytes& m) { m.seal(block, block_kind::array); }, reply::refusal, reply::refusal,
       block},
  };
}

// Lies about the header of an array block that make it unreadable.
std::vector<lie> array_block_lies(const std::string& name, std::uint64_t block) {
  const auto field = [&](const std::string& what, std::size_t offset, std::uint32_t value,
                         reply reply = reply::refusal) {
    return lie{name + what, [=](metadata_bytes& m) { m.set32(block, offset, value); }, reply, reply,
               block};
  };
  const auto change = [&](const std::string& what, std::size_t offset, int difference,
                          reply reply = reply::refusal) {
    return lie{name + what, [=](metadata_bytes& m) { add32(m, block, offset, difference); }, reply,
               reply, block};
  };
  return {
      field(": nr_entries 0", array::nr_entries, 0),
      change(": nr_entries one less", array::nr_entries, -1),
      change(": nr_entries one more", array::nr_entries, 1),
      field(": nr_entries huge", array::nr_entries, max32),
      field(": nr_entries so that their size wraps to a small one", array::nr_entries, 0x40000000),
      field(": max_entries 0", array::max_entries, 0),
      // Where the entries are does not depend on it.
      change(": max_entries one less", array::max_entries, -1, reply::either),
      change(": max_entries one more", array::max_entries, 1, reply::either),
      field(": max_entries huge", array::max_entries, max32, reply::either),
      field(": value_size 0", array::value_size, 0),
      field(": value_size 12", array::value_size, 12),
      field(": value_size huge", array::value_size, max32),
      change(": blocknr of its neighbour", array::blocknr, 1),
      {name + ": sealed as a node", [=](metadata_bytes& m) { m.seal(block, block_kind::node); },
       reply::refusal, reply::refusal, block},
  };
}

// Lies in the superblock in `block` about the root at `field`, which names something else.
std::vector<lie> root_lies(const std::string& name, std::uint64_t block, std::size_t field,
                           const std::vector<std::uint64_t>& others, reply live, reply snapshot) {
  std::vector<lie> lies;
  lies.reserve(others.size());
  for (const auto other : others) {
    lies.push_back({name + " = " + std::to_string(other),
                    [=](metadata_bytes& m) { m.set64(block, field, other); }, live, snapshot});
  }
  return lies;
}

}  // namespace

TEST_CASE("superblock fields that cannot be") {
  const auto field = [](const std::string& what, std::size_t offset, std::uint32_t value) {
    return lie{what, [=](metadata_bytes& m) { m.set32(0, offset, value); }, reply::refusal};
  };
  auto lies = std::vector<lie>{
      field("magic of thin", superblock::magic, 27022010),
      field("version 0", superblock::version, 0),
      field("version 2", superblock::version, 2),
      field("version huge", superblock::version, max32),
      field("blocknr 1", superblock::blocknr, 1),
      field("nr_blocks 2^31", superblock::nr_blocks, 0x80000000),
      field("nr_blocks 2^31 - 1", superblock::nr_blocks, 0x7FFFFFFF),
      field("nr_blocks 2^32 - 1", superblock::nr_blocks, max32),
      field("nr_blocks one more", superblock::nr_blocks, 1025),
      field("nr_blocks one less", superblock::nr_blocks, 1023),
      field("nr_blocks for a full last array block", superblock::nr_blocks, 2036),
      field("nr_blocks for one array block more", superblock::nr_blocks, 2037),
  };
  for (auto& lie : lies) {
    lie.repairable = false;
  }
  lies.push_back({"metadata_block_size 16",
                  [](metadata_bytes& m) { m.set32(0, superblock::metadata_block_size, 16); },
                  reply::either});
  tell_all("one_era", lies);
}

TEST_CASE("superblock roots that name nothing, or something else") {
  const metadata_bytes m(harness::image_named("one_era"));
  const std::vector<std::uint64_t> nothing = {0, metadata_size(m), max64, wrapping};
  const auto block = m.array_blocks(era_array(m)).at(0);

  auto others = nothing;
  for (const auto other : {era_array(m), first_bitset(m), block, space_map_index(m),
                           first_bitmap(m), writeset_tree(m) + wrapping}) {
    others.push_back(other);
  }
  tell_all("one_era", root_lies("writeset tree", 0, superblock::writeset_tree, others,
                                reply::refusal, reply::refusal));

  others = nothing;
  for (const auto other : {writeset_tree(m), first_bitset(m), block, space_map_index(m),
                           m.get64(0, superblock::map_counts), era_array(m) + wrapping}) {
    others.push_back(other);
  }
  tell_all("one_era", root_lies("era array", 0, superblock::era_array, others, reply::refusal,
                                reply::refusal));
}

TEST_CASE("eras that are still to come") {
  const metadata_bytes m(harness::image_named("one_era"));
  const auto tree = writeset_tree(m);
  const auto block = m.array_blocks(era_array(m)).at(0);
  tell_all("one_era",
           {{"a current era below an archived one",
             [](metadata_bytes& bytes) { bytes.set32(0, superblock::current_era, 0); },
             reply::unspecified, reply::unspecified, std::nullopt, false},
            {"an archived era above the current one",
             [=](metadata_bytes& bytes) { set_key(bytes, tree, 0, 2); }, reply::unspecified},
            {"an archived era of 2^32",
             [=](metadata_bytes& bytes) { set_key(bytes, tree, 0, std::uint64_t{1} << 32); },
             reply::refusal},
            {"an archived era of 2^64 - 1",
             [=](metadata_bytes& bytes) { set_key(bytes, tree, 0, max64); }, reply::refusal},
            {"an element of the era array above the current era",
             [=](metadata_bytes& bytes) { bytes.set32(block, array::values, 2); },
             reply::unspecified, reply::unspecified, block},
            {"an element of the era array of 2^32 - 1",
             [=](metadata_bytes& bytes) { bytes.set32(block, array::values, max32); },
             reply::unspecified, reply::unspecified, block}});
}

TEST_CASE("an open era that is archived too") {
  const auto& image = harness::image_named("power_cut");
  const metadata_bytes m(image);
  const auto last = m.writesets(writeset_tree(m)).back();
  REQUIRE(last.era == image.live.current_era - 1);
  tell_all("power_cut",
           {{"the era",
             [&](metadata_bytes& bytes) { bytes.set32(0, superblock::current_era, last.era); },
             reply::unspecified, reply::unspecified, std::nullopt, false},
            {"the writeset",
             [&](metadata_bytes& bytes) { bytes.set64(0, superblock::current_root, last.root); },
             reply::unspecified, reply::unspecified, std::nullopt, false}});
}

TEST_CASE("nodes with a header that cannot be", "[slow]") {
  const metadata_bytes m(harness::image_named("one_era"));
  tell_all("one_era", node_lies("writeset tree", writeset_tree(m)));
  tell_all("one_era", node_lies("era array", era_array(m)));
  tell_all("one_era", node_lies("bitset", first_bitset(m)));
}

TEST_CASE("array blocks with a header that cannot be", "[slow]") {
  const metadata_bytes m(harness::image_named("one_era"));
  const auto blocks = m.array_blocks(era_array(m));
  tell_all("one_era", array_block_lies("full era array block", blocks.at(0)));
  tell_all("one_era", array_block_lies("last era array block", blocks.at(1)));
  tell_all("one_era", array_block_lies("bitset block", m.array_blocks(first_bitset(m)).at(0)));
}

TEST_CASE("leaves whose entries cannot be", "[slow]") {
  const metadata_bytes m(harness::image_named("one_era"));
  const auto tree = writeset_tree(m);
  const auto eras = era_array(m);
  const auto bitset = first_bitset(m);
  const auto first_block = m.array_blocks(eras).at(0);
  const auto entry = m.value_offset(tree, 0);
  const auto key = [](std::uint64_t node, std::uint32_t index, std::uint64_t value) {
    return [=](metadata_bytes& bytes) { set_key(bytes, node, index, value); };
  };
  const auto child = [](std::uint64_t node, std::uint32_t index, std::uint64_t value) {
    return [=](metadata_bytes& bytes) { set_child(bytes, node, index, value); };
  };
  std::vector<lie> lies = {
      {"era array: keys out of order",
       [=](metadata_bytes& bytes) {
         set_key(bytes, eras, 0, 1);
         set_key(bytes, eras, 1, 0);
       },
       reply::refusal, reply::refusal, eras},
      {"era array: a key twice", key(eras, 1, 0), reply::refusal, reply::refusal, eras},
      {"era array: a gap in the keys", key(eras, 1, 2), reply::refusal},
      {"era array: a key of 2^64 - 1", key(eras, 1, max64), reply::refusal},
      {"era array: the last entry gone",
       [=](metadata_bytes& bytes) { bytes.set32(eras, node::nr_entries, 1); }, reply::refusal},
      {"era array: all entries gone",
       [=](metadata_bytes& bytes) { bytes.set32(eras, node::nr_entries, 0); }, reply::refusal},
      {"era array: one block for two entries", child(eras, 1, first_block), reply::refusal},
      {"bitset: no entries",
       [=](metadata_bytes& bytes) { bytes.set32(bitset, node::nr_entries, 0); }, reply::refusal},
      {"bitset: a block of the era array", child(bitset, 0, first_block), reply::refusal},
  };
  for (const auto node : {eras, bitset}) {
    for (const auto other : {std::uint64_t{0}, node, metadata_size(m), max64, wrapping,
                             first_block + wrapping, tree, space_map_index(m)}) {
      lies.push_back({"node " + std::to_string(node) + ": entry 0 = " + std::to_string(other),
                      child(node, 0, other), reply::refusal});
    }
  }
  for (const auto other : {std::uint64_t{0}, tree, metadata_size(m), max64, wrapping,
                           bitset + wrapping, eras, first_block, space_map_index(m)}) {
    lies.push_back({"writeset root = " + std::to_string(other),
                    [=](metadata_bytes& bytes) { bytes.set64(tree, entry + 4, other); },
                    reply::refusal});
  }
  for (const std::uint32_t nr_bits : {960U, 1088U, 40000U, max32}) {
    lies.push_back({"writeset nr_bits = " + std::to_string(nr_bits),
                    [=](metadata_bytes& bytes) { bytes.set32(tree, entry, nr_bits); },
                    reply::refusal, reply::unspecified, std::nullopt,
                    nr_bits >= 1024 && nr_bits != max32});
  }
  tell_all("one_era", lies);
}

TEST_CASE("internal nodes whose entries cannot be", "[slow]") {
  const metadata_bytes m(harness::image_named("power_cut"));
  const auto root = era_array(m);
  REQUIRE(m.get32(root, node::flags) == 1);
  REQUIRE(m.get32(root, node::nr_entries) > 1);
  const auto child = m.get64(root, m.value_offset(root, 0));
  const auto child_is = [=](std::uint64_t other) {
    return [=](metadata_bytes& bytes) { set_child(bytes, root, 0, other); };
  };
  tell_all(
      "power_cut",
      {{"a child that is the node itself", child_is(root), reply::refusal},
       {"the same child twice", [=](metadata_bytes& bytes) { set_child(bytes, root, 1, child); },
        reply::refusal},
       {"a child of 0", child_is(0), reply::refusal},
       {"a child out of range", child_is(metadata_size(m)), reply::refusal},
       {"a child of 2^64 - 1", child_is(max64), reply::refusal},
       {"a child beyond 2^52", child_is(child + wrapping), reply::refusal},
       {"a child that is an array block", child_is(m.array_blocks(root).at(0)), reply::refusal},
       {"a child that is the writeset tree", child_is(writeset_tree(m)), reply::refusal},
       {"the last child gone",
        [=](metadata_bytes& bytes) { add32(bytes, root, node::nr_entries, -1); }, reply::refusal},
       {"an empty child", [=](metadata_bytes& bytes) { bytes.set32(child, node::nr_entries, 0); },
        reply::refusal, reply::unspecified, child},
       {"a leaf", [=](metadata_bytes& bytes) { bytes.set32(root, node::flags, 2); },
        reply::refusal},
       {"value_size 4", [=](metadata_bytes& bytes) { bytes.set32(root, node::value_size, 4); },
        reply::refusal, reply::unspecified, root},
       // Lookups need these; a walk over all leaves does not.
       {"a first key above that of the child",
        [=](metadata_bytes& bytes) { set_key(bytes, root, 0, 1); }, reply::either},
       {"a second key above that of the child",
        [=](metadata_bytes& bytes) {
          set_key(bytes, root, 1, bytes.get64(root, node::keys + 8) + 1);
        },
        reply::either},
       {"a second key below the last of the first child",
        [=](metadata_bytes& bytes) {
          set_key(bytes, root, 1, bytes.get64(root, node::keys + 8) - 1);
        },
        reply::either},
       {"a leaf one level deeper than the others",
        [=](metadata_bytes& bytes) {
          const auto between = bytes.first_free_block();
          bytes.copy_node(root, between);
          bytes.set32(between, node::nr_entries, 1);
          set_child(bytes, root, 0, between);
          bytes.set_count(between, 1);
          add64(bytes, 0, superblock::map_nr_allocated, 1);
        },
        reply::either}});
}

TEST_CASE("a current writeset that cannot be", "[slow]") {
  const metadata_bytes m(harness::image_named("power_cut"));
  const std::vector<std::uint64_t> others = {
      metadata_size(m), max64,        m.get64(0, superblock::current_root) + wrapping,
      writeset_tree(m), era_array(m), space_map_index(m)};
  auto lies = root_lies("current writeset", 0, superblock::current_root, others, reply::refusal,
                        reply::unspecified);
  for (const int difference : {-64, 64, 32576}) {
    lies.push_back(
        {"nr_bits changed by " + std::to_string(difference),
         [=](metadata_bytes& bytes) { add32(bytes, 0, superblock::current_nr_bits, difference); },
         reply::refusal});
  }
  lies.push_back({"nr_bits of 2^32 - 1",
                  [](metadata_bytes& bytes) { bytes.set32(0, superblock::current_nr_bits, max32); },
                  reply::refusal, reply::unspecified, std::nullopt, false});
  tell_all("power_cut", lies);
}

TEST_CASE("two eras that share one bitset") {
  const metadata_bytes m(harness::image_named("undigested_remove"));
  const auto tree = writeset_tree(m);
  REQUIRE(m.get32(tree, node::nr_entries) > 1);
  const auto shared = first_bitset(m);
  tell_all(
      "undigested_remove",
      {{"the root",
        [=](metadata_bytes& bytes) { bytes.set64(tree, bytes.value_offset(tree, 1) + 4, shared); },
        reply::unspecified, reply::unspecified, std::nullopt, false}});
}

TEST_CASE("a space map that cannot be: no reader needs it", "[slow]") {
  const metadata_bytes m(harness::image_named("one_era"));
  const auto index = space_map_index(m);
  const auto bitmap = first_bitmap(m);
  const auto counts = m.get64(0, superblock::map_counts);
  const auto eras = era_array(m);
  const auto end = metadata_size(m);
  const std::vector<std::uint64_t> nothing = {0, end, max64, wrapping, eras};

  tell_all("one_era",
           root_lies("index", 0, superblock::map_index, nothing, reply::right, reply::right));
  tell_all("one_era",
           root_lies("count tree", 0, superblock::map_counts, nothing, reply::right, reply::right));
  tell_all("one_era", root_lies("bitmap", index, 16, nothing, reply::right, reply::right));
  tell_all("one_era",
           root_lies("size", 0, superblock::map_nr_blocks, {0}, reply::right, reply::right));
  // As of a copy of which the end is missing.
  tell_all("one_era", root_lies("size", 0, superblock::map_nr_blocks, {end + 1, 4161601, max64},
                                reply::refusal, reply::refusal));
  tell_all("one_era", root_lies("count tree is the index", 0, superblock::map_counts, {index},
                                reply::right, reply::right));

  const auto count = [](std::uint64_t block, unsigned value) {
    return [=](metadata_bytes& bytes) { bytes.set_count(block, value); };
  };
  const auto free = m.first_free_block();
  tell_all("one_era",
           {{"nr_allocated one less",
             [](metadata_bytes& bytes) { add64(bytes, 0, superblock::map_nr_allocated, -1); },
             reply::right},
            {"nr_allocated huge",
             [](metadata_bytes& bytes) { bytes.set64(0, superblock::map_nr_allocated, max64); },
             reply::right},
            {"nr_free one more", [=](metadata_bytes& bytes) { add32(bytes, index, 24, 1); },
             reply::right},
            {"nr_free huge", [=](metadata_bytes& bytes) { bytes.set32(index, 24, max32); },
             reply::right},
            {"none_free_before beyond the first free block",
             [=](metadata_bytes& bytes) {
               bytes.set32(index, 28, static_cast<std::uint32_t>(free) + 1);
             },
             reply::right},
            {"none_free_before huge", [=](metadata_bytes& bytes) { bytes.set32(index, 28, max32); },
             reply::right},
            {"blocknr of the index", [=](metadata_bytes& bytes) { add64(bytes, index, 8, 1); },
             reply::right, reply::right, index},
            {"blocknr of the bitmap", [=](metadata_bytes& bytes) { add64(bytes, bitmap, 8, 1); },
             reply::right, reply::right, bitmap},
            {"a node sealed as bitmap",
             [=](metadata_bytes& bytes) { bytes.seal(bitmap, block_kind::node); }, reply::right,
             reply::right, bitmap},
            {"the era array is free", count(eras, 0), reply::right, reply::right, eras},
            {"the bitmap is free", count(bitmap, 0), reply::right, reply::right, bitmap},
            {"the superblock is free", count(0, 0), reply::right, reply::right, 0},
            {"a count of 2 for one reference", count(eras, 2), reply::right, reply::right, eras},
            {"a count of 3 without a key in the count tree", count(eras, 3), reply::right,
             reply::right, eras},
            {"a free block in use", count(free, 1), reply::right, reply::right, free},
            {"a count past the end", count(end + 3, 1), reply::right},
            {"a key in the count tree without a count of 3",
             [=](metadata_bytes& bytes) {
               set_key(bytes, counts, 0, eras);
               bytes.set32(counts, bytes.value_offset(counts, 0), 3);
               bytes.set32(counts, node::nr_entries, 1);
             },
             reply::right, reply::right, eras}});
}

TEST_CASE("a leak is a non-fatal error") {
  const harness::temporary_folder folder;
  const auto path = folder / "metadata";
  metadata_bytes m(harness::image_named("one_era"));
  const auto leaked = m.first_free_block();
  m.set_count(leaked, 1);
  add64(m, 0, superblock::map_nr_allocated, 1);
  add32(m, space_map_index(m), 24, -1);
  harness::write_file(path, m.bytes());

  const auto strict = harness::run({harness::tool("era_check"), path});
  CHECK(strict.status == 1);
  CHECK(harness::names_block(strict.out, leaked));
  const auto lenient =
      harness::run({harness::tool("era_check"), "--ignore-non-fatal-errors", path});
  CHECK(lenient.status == 0);
  CHECK(lenient.err == "");
  CHECK(harness::names_block(lenient.out, leaked));
}

TEST_CASE("a metadata snapshot that cannot be: the live side doesn't need it", "[slow]") {
  const metadata_bytes m(harness::image_named("random/r007"));
  const auto copy = m.get64(0, superblock::snapshot);
  const auto end = metadata_size(m);
  const auto field = [&](const std::string& what, std::size_t offset, std::uint32_t value) {
    return lie{what, [=](metadata_bytes& bytes) { bytes.set32(copy, offset, value); }, reply::right,
               reply::refusal};
  };
  tell_all("random/r007", root_lies("snapshot", 0, superblock::snapshot,
                                    {end, max64, copy + wrapping, era_array(m), space_map_index(m)},
                                    reply::right, reply::refusal));
  tell_all("random/r007",
           root_lies("its writeset tree", copy, superblock::writeset_tree,
                     {0, copy, end, max64, wrapping, era_array(m)}, reply::right, reply::refusal));
  tell_all("random/r007", root_lies("its era array", copy, superblock::era_array,
                                    {0, copy, end, max64, wrapping, writeset_tree(m)}, reply::right,
                                    reply::refusal));
  tell_all("random/r007",
           {field("magic", superblock::magic, 1), field("version", superblock::version, 2),
            field("blocknr 0", superblock::blocknr, 0),
            field("nr_blocks one more", superblock::nr_blocks, 114),
            field("nr_blocks one less", superblock::nr_blocks, 112),
            field("nr_blocks 2^32 - 1", superblock::nr_blocks, max32)});
}

TEST_CASE("live metadata that cannot be: the snapshot doesn't need it") {
  const metadata_bytes m(harness::image_named("random/r007"));
  const auto end = metadata_size(m);
  tell_all("random/r007", root_lies("current writeset", 0, superblock::current_root,
                                    {end, max64, era_array(m)}, reply::refusal, reply::right));
  // The trees are two, but a reader may look at all roots of a superblock before it goes on.
  tell_all("random/r007", root_lies("era array", 0, superblock::era_array, {end, max64},
                                    reply::refusal, reply::either));
}

TEST_CASE("what is stale in the snapshot's superblock is not followed") {
  const auto& image = harness::image_named("random/r007");
  metadata_bytes m(image);
  const auto copy = m.get64(0, superblock::snapshot);
  for (const auto field :
       {superblock::current_root, superblock::map_nr_blocks, superblock::map_nr_allocated,
        superblock::map_index, superblock::map_counts}) {
    m.set64(copy, field, max64);
  }
  m.set32(copy, superblock::current_nr_bits, max32);

  const harness::temporary_folder folder;
  const auto path = folder / "metadata";
  harness::write_file(path, m.bytes());
  const auto checked = harness::run({harness::tool("era_check"), path});
  INFO(checked.out);
  CHECK(checked.status == 0);
  CHECK(checked.err == "");
  for (const auto& question : harness::questions(image)) {
    judge_reader(question, reply::right, path);
  }
}
