// What era_restore writes and where: the bytes of the superblock and the space map, large and odd
// outputs, and outputs that cannot be had.
#include <algorithm>
#include <chrono>
#include <filesystem>
#include <random>
#include <regex>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using Catch::EndsWith;
using fixtures::bench;
using fixtures::block_bytes;
using fixtures::call;
using fixtures::document;
using fixtures::u32_at;
using fixtures::u64_at;

using words = std::vector<std::string>;

harness::result restore(const bench& bench, const std::string& output) {
  return call("era_restore", {"-i", bench.xml, "-o", output});
}

void check_refused(const harness::result& result, const words& facts) {
  CHECK(result.status == 1);
  CHECK(result.out == "");
  CHECK_THAT(result.err, EndsWith("\n"));
  for (const auto& fact : facts) {
    CHECK_THAT(result.err, Contains(fact));
  }
}

std::string block_of(const std::string& bytes, std::uint64_t block) {
  return bytes.substr(block * block_bytes, block_bytes);
}

bool is_zero(const std::string& bytes, std::size_t begin, std::size_t end) {
  return bytes.substr(begin, end - begin).find_first_not_of('\0') == std::string::npos;
}

// The free and used entries of the bitmap block that entry `entry` of the index names, by what the
// index says and by the bitmap itself.
struct bitmap_counts {
  std::uint32_t nr_free;
  std::uint32_t none_free_before;
  std::uint32_t used;
  std::uint32_t first_free;
};

bitmap_counts count_bitmap(const std::string& bytes, std::size_t entry) {
  const auto index = block_of(bytes, u64_at(bytes, 60));
  const auto at = 16 + 16 * entry;
  bitmap_counts counts = {u32_at(index, at + 8), u32_at(index, at + 12), 0, 16320};
  const auto bitmap = block_of(bytes, u64_at(index, at));
  for (std::uint32_t i = 0; i < 16320; ++i) {
    const auto word = u64_at(bitmap, 16 + 8 * (i / 32));
    const bool used = (word >> (2 * (i % 32)) & 3) != 0;
    counts.used += used ? 1 : 0;
    if (!used && counts.first_free == 16320) {
      counts.first_free = i;
    }
  }
  return counts;
}

// A sparse file can be larger than the disk; this one reads only a piece of it.
std::string read_some(const std::string& path, std::uint64_t first_block, std::uint64_t count) {
  const auto piece =
      harness::run({"dd", "if=" + path, "bs=4096", "status=none",
                    "skip=" + std::to_string(first_block), "count=" + std::to_string(count)});
  REQUIRE(piece.status == 0);
  return piece.out;
}

// The largest number in a message that does not belong to the path.
std::uint64_t largest_number(std::string message, const std::string& path) {
  for (auto at = message.find(path); at != std::string::npos; at = message.find(path)) {
    message.erase(at, path.size());
  }
  static const std::regex number("[0-9]+");
  std::uint64_t largest = 0;
  for (std::sregex_iterator at(message.begin(), message.end(), number), end; at != end; ++at) {
    largest = std::max<std::uint64_t>(largest, std::stoull(at->str()));
  }
  return largest;
}

// About `count` different numbers below `limit`.
std::set<std::uint32_t> some_below(std::uint32_t limit, int count, std::mt19937& random) {
  std::uniform_int_distribution<std::uint32_t> any(0, limit - 1);
  std::set<std::uint32_t> numbers;
  for (int i = 0; i < count; ++i) {
    numbers.insert(any(random));
  }
  return numbers;
}

std::vector<std::uint32_t> shuffled(const std::set<std::uint32_t>& numbers, std::mt19937& random) {
  std::vector<std::uint32_t> order(numbers.begin(), numbers.end());
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

void check_restored(const std::string& path, const document& expected) {
  const auto checked = call("era_check", {path});
  INFO(checked.out);
  CHECK(checked.status == 0);
  const auto dumped = fixtures::dump(path, {"--compact"});
  CHECK(harness::difference(dumped, expected.compact_xml()) == "");
}

}  // namespace

TEST_CASE("the superblock that restore writes") {
  const bench bench;
  REQUIRE(restore(bench, bench.device).status == 0);
  const auto bytes = harness::read_file(bench.device);
  const auto superblock = block_of(bytes, 0);
  CHECK(u32_at(superblock, 4) == 0);   // flags
  CHECK(u64_at(superblock, 8) == 0);   // blocknr
  CHECK(is_zero(superblock, 16, 32));  // uuid
  CHECK(u64_at(superblock, 32) == 2126579579);
  CHECK(u32_at(superblock, 40) == 1);    // version
  CHECK(u64_at(superblock, 44) == 256);  // blocks covered by the space map
  CHECK(is_zero(superblock, 76, 172));
  CHECK(u32_at(superblock, 172) == 128);  // data_block_size
  CHECK(u32_at(superblock, 176) == 8);    // metadata_block_size
  CHECK(u32_at(superblock, 180) == 10);   // nr_blocks
  CHECK(u32_at(superblock, 184) == 5);    // current_era
  CHECK(u32_at(superblock, 188) == 0);    // current_writeset
  CHECK(u64_at(superblock, 192) == 0);
  CHECK(u64_at(superblock, 200) != 0);
  CHECK(u64_at(superblock, 208) != 0);
  CHECK(u64_at(superblock, 216) == 0);  // metadata_snap
  CHECK(is_zero(superblock, 224, block_bytes));

  const auto counts = count_bitmap(bytes, 0);
  CHECK(u64_at(superblock, 52) == counts.used);
  CHECK(counts.nr_free == 16320 - counts.used);
  CHECK(counts.none_free_before <= counts.first_free);
  CHECK(is_zero(block_of(bytes, u64_at(bytes, 60)), 32, block_bytes));
}

TEST_CASE("nr_free of the last bitmap counts from a whole one") {
  const bench bench;
  const std::uint64_t blocks = GENERATE(16319, 16320, 16321, 16420);
  INFO(blocks << " blocks");
  harness::make_zeroed(bench.device, blocks * block_bytes);
  REQUIRE(restore(bench, bench.device).status == 0);
  const auto bytes = harness::read_file(bench.device);
  CHECK(u64_at(bytes, 44) == blocks);
  std::uint64_t used = 0;
  for (std::size_t entry = 0; entry * 16320 < blocks; ++entry) {
    const auto counts = count_bitmap(bytes, entry);
    CHECK(counts.nr_free == 16320 - counts.used);
    CHECK(counts.none_free_before <= counts.first_free);
    used += counts.used;
  }
  CHECK(u64_at(bytes, 52) == used);
  check_restored(bench.device, fixtures::example());
}

TEST_CASE("no more of an output is used than the kernel can use") {
  const bench bench;
  constexpr std::uint64_t most = 4161600;
  harness::make_zeroed(bench.device, (most + 1000) * block_bytes);
  REQUIRE(restore(bench, bench.device).status == 0);
  CHECK(u64_at(read_some(bench.device, 0, 1), 44) == most);
  CHECK(read_some(bench.device, most, 1000) == std::string(1000 * block_bytes, '\0'));
  check_restored(bench.device, fixtures::example());
}

TEST_CASE("restore replaces what was there") {
  const bench bench;
  harness::image_named("snap_held").unpack(bench.device);
  SECTION("older metadata") {}
  SECTION("garbage") {
    harness::write_file(bench.device, std::string(1 << 20, '\xa5'));
  }
  REQUIRE(restore(bench, bench.device).status == 0);
  check_restored(bench.device, fixtures::example());
  CHECK(call("era_dump", {"--metadata-snapshot", bench.device}).status == 1);
}

TEST_CASE("a partial block at the end of the output is left alone") {
  const bench bench;
  harness::write_file(bench.device, std::string((1 << 20) + 100, 'x'));
  REQUIRE(restore(bench, bench.device).status == 0);
  const auto bytes = harness::read_file(bench.device);
  CHECK(bytes.size() == (1 << 20) + 100);
  CHECK(bytes.substr(1 << 20) == std::string(100, 'x'));
  CHECK(u64_at(bytes, 44) == 256);
  check_restored(bench.device, fixtures::example());
}

TEST_CASE("restore reads standard input") {
  const bench bench;
  harness::run_options options;
  options.input = fixtures::example().xml();
  const std::string name = GENERATE("-", "/dev/stdin");
  INFO(name);
  const auto result = call("era_restore", {"-i", name, "-o", bench.device}, options);
  CHECK(result.status == 0);
  CHECK(result.out + result.err == "");
  check_restored(bench.device, fixtures::example());
}

TEST_CASE("restore reads from a pipe what era_dump writes into it") {
  const bench bench;
  const auto& image = harness::image_named("power_cut");
  image.unpack(bench.metadata);
  harness::make_zeroed(bench.device, image.metadata_bytes);
  const auto result = harness::run(
      {"bash", "-c", R"(set -o pipefail; "$0" "$1" | "$2" -i - -o "$3")", harness::tool("era_dump"),
       bench.metadata, harness::tool("era_restore"), bench.device});
  CHECK(result.status == 0);
  CHECK(result.out + result.err == "");
  CHECK(call("era_check", {bench.device}).status == 0);
  const auto expected = fixtures::dump(bench.metadata);
  REQUIRE(expected != "");
  CHECK(harness::difference(fixtures::dump(bench.device), expected) == "");
}

TEST_CASE("a restore that cannot go on does not wait for the rest of its input") {
  const harness::temporary_folder folder;
  const std::string output = folder / "output";
  harness::make_zeroed(output, 8 * 4096);
  const std::string script = R"(mkfifo "$0"; (printf '%s\n' "$3"; exec sleep 60) > "$0" & )"
                             R"("$1" -i "$0" -o "$2"; status=$?; kill $!; exit $status)";
  const auto began = std::chrono::steady_clock::now();
  const auto got = harness::run(
      {"bash", "-c", script, folder / "fifo", harness::tool("era_restore"), output,
       R"(<superblock uuid="" block_size="128" nr_blocks="9000000" current_era="1">)"});
  CHECK(std::chrono::steady_clock::now() - began < std::chrono::seconds(20));
  CHECK(got.status == 1);
  CHECK(got.err.find("Output file too small") != std::string::npos);
}

TEST_CASE("the input of restore is not changed") {
  const bench bench;
  REQUIRE(restore(bench, bench.device).status == 0);
  CHECK(harness::read_file(bench.xml) == fixtures::example().xml());
}

TEST_CASE("an output that does not exist is not made") {
  const bench bench;
  const auto path = bench / "nowhere";
  check_refused(restore(bench, path), {path + ": No such file or directory"});
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("an output that cannot hold metadata is refused") {
  const bench bench;
  check_refused(restore(bench, bench.path()),
                {bench.path() + ": Not a block device or regular file"});
  for (const std::string device : {"/dev/null", "/dev/full", "/dev/stdout", "-"}) {
    DYNAMIC_SECTION(device) {
      check_refused(restore(bench, device), {device + ": "});
    }
  }
}

TEST_CASE("an output that may not be written is left alone") {
  if (!fixtures::nobody_can_run_tools()) {
    return;
  }
  const bench bench;
  std::filesystem::permissions(bench.device, static_cast<std::filesystem::perms>(0444));
  harness::run_options nobody;
  nobody.as_nobody = true;
  check_refused(call("era_restore", {"-i", bench.xml, "-o", bench.device}, nobody),
                {bench.device + ": Permission denied"});
  CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
}

TEST_CASE("an output far too small is left alone, and how much is needed is said") {
  const bench bench;
  // The second needs a second bitmap of the space map, which the small output has not.
  const std::uint32_t nr_blocks = GENERATE(200000u, 16580000u);
  document document;
  document.nr_blocks = nr_blocks;
  document.current_era = 1;
  harness::write_file(bench.xml, document.compact_xml());
  const std::uint64_t blocks = GENERATE(0, 1, 5, 10, 100);
  INFO(nr_blocks << " data blocks into " << blocks << " blocks");
  const std::string before(blocks * block_bytes + 50, 'x');
  harness::write_file(bench.device, before);
  const auto refused = restore(bench, bench.device);
  check_refused(refused, {bench.device, "too small"});
  CHECK((harness::read_file(bench.device) == before));

  const auto needed = largest_number(refused.err, bench.device);
  CHECK(needed > before.size());
  REQUIRE(needed < 100 << 20);
  harness::make_zeroed(bench.device, needed);
  const auto restored = restore(bench, bench.device);
  CHECK(restored.err == "");
  CHECK(restored.status == 0);
}

TEST_CASE("an output of any size is enough or refused, never half used") {
  const bench bench;
  document document = {128, 5000, 4, {{3, 40000, {0, 39999}}, {4, 40000, {}}}, {{4999, 2}}};
  harness::write_file(bench.xml, document.xml());
  std::uint64_t smallest = 0;
  for (std::uint64_t blocks = 1; blocks < 40 && smallest == 0; ++blocks) {
    INFO(blocks << " blocks");
    const std::string before(blocks * block_bytes, 'x');
    harness::write_file(bench.device, before);
    const auto result = restore(bench, bench.device);
    if (result.status == 0) {
      smallest = blocks;
      continue;
    }
    check_refused(result, {bench.device});
    CHECK(call("era_check", {bench.device}).status == 1);
    const auto after = harness::read_file(bench.device);
    CHECK((after == before || after[0] != 'x'));
  }
  INFO("enough from " << smallest << " blocks on");
  // Superblock, index, bitmap, count tree, writeset tree, array with 5 blocks, two bitsets with 2
  // blocks each: 17 with the three trees' roots, and no search should need many more.
  CHECK(smallest >= 16);
  CHECK(smallest <= 20);
  check_restored(bench.device, document);
}

TEST_CASE("a device in use is refused and left alone") {
  const bench bench;
  fixtures::loop_device device(bench.device);
  if (!device.available()) {
    return;
  }
  SECTION("in use") {
    device.occupy();
    check_refused(restore(bench, device.path()), {device.path() + ": Device or resource busy"});
    CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
  }
  SECTION("free") {
    const auto result = restore(bench, device.path());
    CHECK(result.status == 0);
    CHECK(result.out + result.err == "");
    check_restored(device.path(), fixtures::example());
  }
}

TEST_CASE("a restore that fails half way leaves its mark") {
  const bench bench;
  fixtures::restore(fixtures::example().xml(), bench.device, fixtures::large_device_bytes);
  const std::string end = GENERATE("", "<era block=\"1\" era=\"4\"/>", "<unknown/>",
                                   "<era block=\"4000000\" era=\"0\"/></era_array></superblock>");
  INFO(end);
  harness::write_file(bench.xml, fixtures::large_unfinished_xml() + end);
  check_refused(restore(bench, bench.device), {bench.xml, "line "});
  CHECK(fixtures::holds_interrupted_restore(bench.device));
  SECTION("and a second one repairs it") {
    harness::write_file(bench.xml, fixtures::example().xml());
    CHECK(restore(bench, bench.device).status == 0);
    check_restored(bench.device, fixtures::example());
  }
}

TEST_CASE("a restore that is killed leaves older metadata or its mark") {
  const bench bench;
  fixtures::restore(fixtures::example().xml(), bench.device, fixtures::large_device_bytes);
  const auto& xml = fixtures::large_unfinished_xml();
  const auto [length, marked] = GENERATE(
      table<std::size_t, bool>({{10, false}, {fixtures::large_unfinished_xml().size(), true}}));
  INFO("killed after " << length << " bytes");
  harness::write_file(bench.xml, xml.substr(0, length));
  harness::run_options short_time;
  short_time.seconds = 3;
  const auto killed = harness::run({"bash", "-c", R"({ cat "$0"; sleep 60; } | "$1" -i - -o "$2")",
                                    bench.xml, harness::tool("era_restore"), bench.device},
                                   short_time);
  CHECK(killed.status == 128 + 9);
  CHECK(killed.out + killed.err == "");
  CHECK(fixtures::holds_interrupted_restore(bench.device) == marked);
  if (!marked) {
    check_restored(bench.device, fixtures::example());
  }
}

TEST_CASE("trees of every shape are restored right") {
  const bench bench;
  SECTION("arrays whose blocks just fill a node, or not") {
    // 1018 elements a block, 252 blocks a leaf.
    const std::uint32_t array_blocks = GENERATE(1u, 2u, 251u, 252u, 253u, 254u, 504u, 505u);
    const std::uint32_t odd = GENERATE(0u, 1u);
    document document;
    document.nr_blocks = array_blocks * 1018 + odd;
    document.current_era = 3;
    document.eras = {{0, 1}, {document.nr_blocks - 1, 3}, {document.nr_blocks / 2, 2}};
    INFO(document.nr_blocks << " blocks");
    fixtures::restore(document.compact_xml(), bench.device, 8 << 20);
    check_restored(bench.device, document);
  }
  SECTION("bitsets whose words just fill a block, or not") {
    // 509 words of 64 bits a block.
    const std::uint32_t bits = GENERATE(1u, 64u, 65u, 32575u, 32576u, 32577u, 65152u, 65153u);
    const document document = {128, 100, 3, {{2, bits, {0, bits - 1}}, {3, bits, {bits / 2}}}, {}};
    INFO(bits << " bits");
    fixtures::restore(document.compact_xml(), bench.device);
    check_restored(bench.device, document);
  }
  SECTION("writeset trees whose entries just fill a node, or not") {
    // 201 entries a leaf.
    const std::uint32_t writesets = GENERATE(200u, 201u, 202u, 402u, 403u, 1000u);
    document document;
    document.nr_blocks = 70;
    document.current_era = writesets + 2;
    for (std::uint32_t i = 0; i < writesets; ++i) {
      document.writesets.push_back({i + 3, 70, {i % 70}});
    }
    INFO(writesets << " writesets");
    fixtures::restore(document.compact_xml(), bench.device, 16 << 20);
    check_restored(bench.device, document);
  }
}

TEST_CASE("a large device with its blocks in any order is restored right") {
  const bench bench;
  std::mt19937 random(20240229);
  constexpr std::uint32_t nr_blocks = 300007;
  document document;
  document.nr_blocks = nr_blocks;
  document.current_era = 1000;
  for (const std::uint32_t era : {998u, 999u, 1000u}) {
    document.writesets.push_back({era, nr_blocks, some_below(nr_blocks, 100000, random)});
  }
  const auto in_array = some_below(nr_blocks, 100000, random);
  for (const auto block : in_array) {
    document.eras[block] = block % 990 + 1;
  }

  std::string xml =
      "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"300007\""
      " current_era=\"1000\">\n<era_array>\n";
  for (const auto block : shuffled(in_array, random)) {
    xml += "<era block=\"" + std::to_string(block) + "\" era=\"" +
           std::to_string(document.eras[block]) + "\"/>\n";
  }
  xml += "</era_array>\n";
  for (const std::size_t i : {2, 0, 1}) {
    const auto& set = document.writesets[i];
    xml += "<writeset era=\"" + std::to_string(set.era) + "\" nr_bits=\"300007\">\n";
    for (const auto bit : shuffled(set.bits, random)) {
      xml += "<bit block=\"" + std::to_string(bit) + "\" value=\"true\"/>\n";
    }
    xml += "</writeset>\n";
  }
  harness::write_file(bench.xml, xml + "</superblock>\n");

  harness::make_zeroed(bench.device, 8 << 20);
  const auto result = restore(bench, bench.device);
  CHECK(result.status == 0);
  CHECK(result.out + result.err == "");
  check_restored(bench.device, document);

  SECTION("a block given twice far apart is found") {
    const auto twice = std::to_string(*document.writesets[1].bits.begin());
    const auto end_of_writeset = xml.rfind("</writeset>");
    xml.insert(end_of_writeset, "<bit block=\"" + twice + "\" value=\"false\"/>\n");
    harness::write_file(bench.xml, xml + "</superblock>\n");
    harness::make_zeroed(bench.device, 8 << 20);
    check_refused(restore(bench, bench.device), {twice, "line "});
    CHECK(call("era_check", {bench.device}).status == 1);
  }
}

TEST_CASE("many blocks of era 0 and one out of order are not a reason to refuse") {
  const bench bench;
  document document;
  document.nr_blocks = 700000;
  document.current_era = 3;
  document.eras = {{2, 1}};
  std::string xml =
      R"(<superblock uuid="" block_size="128" nr_blocks="700000" current_era="3"><era_array>)";
  for (std::uint32_t block = 1; block < document.nr_blocks; block += 2) {
    xml += "<era block=\"" + std::to_string(block) + "\" era=\"0\"/>\n";
  }
  harness::write_file(bench.xml, xml + R"(<era block="2" era="1"/></era_array></superblock>)");
  harness::make_zeroed(bench.device, 8 << 20);
  const auto result = restore(bench, bench.device);
  CHECK(result.err == "");
  REQUIRE(result.status == 0);
  check_restored(bench.device, document);
}
