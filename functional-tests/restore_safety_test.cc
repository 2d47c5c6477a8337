// What keeps a restore from making lists too short, or from never ending: old dumps, eras that the
// kernel would lower, dumps on devices, and documents made to be slow.
#include <algorithm>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::bench;
using fixtures::call;
using fixtures::document;

using words = std::vector<std::string>;

const std::string head = R"(<superblock uuid="" block_size="128" nr_blocks="100" current_era="5">)";

harness::result restore(const bench& bench, const std::string& xml, words options = {}) {
  harness::write_file(bench.xml, xml);
  options.insert(options.end(), {"-i", bench.xml, "-o", bench.device});
  return call("era_restore", options);
}

// Refused with a message that holds all of `facts`, and nothing was written.
void check_refused(const bench& bench, const harness::result& result, const words& facts) {
  CHECK(result.status == 1);
  CHECK(result.out == "");
  for (const auto& fact : facts) {
    CHECK_THAT(result.err, Contains(fact));
  }
  CHECK(harness::read_file(bench.device) == std::string(1 << 20, '\0'));
}

void check_all_listed(const bench& bench, std::uint32_t since, std::uint32_t nr_blocks) {
  INFO("since " << since);
  const auto list =
      call("era_invalidate", {"--written-since", std::to_string(since), bench.device});
  CHECK(list.status == 0);
  CHECK(list.out == "<blocks>\n  <range begin=\"0\" end = \"" + std::to_string(nr_blocks) +
                        "\"/>\n</blocks>\n");
}

std::string lines(std::size_t count) {
  return std::string(count, '\n');
}

// Restores within the given seconds of processor time.
harness::result restore_in_time(const bench& bench, const std::string& xml, int seconds) {
  harness::write_file(bench.xml, xml);
  return harness::run({"prlimit", "--cpu=" + std::to_string(seconds), harness::tool("era_restore"),
                       "-i", bench.xml, "-o", bench.device});
}

}  // namespace

TEST_CASE("an old dump restored as all written lists every block, whatever era is asked",
          "[slow]") {
  const bench bench;
  const auto& image = harness::image_named(GENERATE("power_cut", "snap_held", "one_era"));
  image.unpack(bench.metadata);
  const auto nr_blocks = static_cast<std::uint32_t>(image.live.nr_blocks);
  const auto dump = fixtures::dump(bench.metadata);
  harness::make_zeroed(bench.device, 4 << 20);
  const auto old_era = image.live.current_era;
  const auto new_era = GENERATE_COPY(values<std::uint32_t>({0, old_era + 1, old_era + 77}));
  INFO(image.name << ", new era " << new_era);

  words options = {"--all-written"};
  if (new_era != 0) {
    options.push_back("--current-era=" + std::to_string(new_era));
  }
  const auto restored = restore(bench, dump, options);
  CHECK(restored.err == "");
  REQUIRE(restored.status == 0);
  const auto current = new_era != 0 ? new_era : old_era + 1'000'000;
  CHECK(call("era_check", {bench.device}).status == 0);
  for (const std::uint32_t since : {0u, 1u, old_era, old_era + 1, current}) {
    check_all_listed(bench, since, nr_blocks);
  }
  document expected = {image.block_size, nr_blocks, current, {}, {}};
  for (std::uint32_t block = 0; block < nr_blocks; ++block) {
    expected.eras[block] = current;
  }
  CHECK(harness::difference(fixtures::dump(bench.device), expected.xml()) == "");
}

TEST_CASE("without the option an old dump knows nothing of later eras") {
  const bench bench;
  REQUIRE(restore(bench, fixtures::example().xml()).status == 0);
  CHECK(call("era_invalidate", {"--written-since", "1000005", bench.device}).out.find("range") ==
        std::string::npos);
}

TEST_CASE("a new current era must be later, and there must be one") {
  const bench bench;
  const auto with_era = [](const std::string& current) {
    return R"(<superblock uuid="" block_size="128" nr_blocks="100" current_era=")" + current +
           "\"><era_array/></superblock>";
  };
  SECTION("the same") {
    check_refused(bench, restore(bench, with_era("5"), {"--all-written", "--current-era", "5"}),
                  {bench.xml + ": current_era is 5: the new one must be later, and 5 is not"});
  }
  SECTION("too late for the usual one") {
    check_refused(bench, restore(bench, with_era("4293967296"), {"--all-written"}),
                  {"from 4293967297 to 4294967295"});
  }
  SECTION("the very last") {
    check_refused(bench, restore(bench, with_era("4294967295"), {"--all-written"}),
                  {"no later era is left"});
  }
  SECTION("more than 32 bits") {
    check_refused(bench,
                  restore(bench, with_era("5"), {"--all-written", "--current-era", "4294967296"}),
                  {"current-era", "4294967296"});
  }
  SECTION("without the option it belongs to") {
    check_refused(bench, restore(bench, with_era("5"), {"--current-era", "9"}),
                  {"--current-era goes with --all-written."});
  }
}

TEST_CASE("what is wrong with an old dump is found all the same") {
  const bench bench;
  const std::string bad = GENERATE(
      R"(<era_array><era block="100" era="1"/></era_array></superblock>)",
      R"(<writeset era="6" nr_bits="1"/><era_array/></superblock>)",
      R"(<writeset era="1" nr_bits="1"><bit block="1" value="true"/></writeset></superblock>)",
      "<era_array>");
  INFO(bad);
  check_refused(bench, restore(bench, head + bad, {"--all-written"}), {"line 1, column "});
}

TEST_CASE("eras that the kernel would lower are refused where they are") {
  const bench bench;
  const std::string set = R"(<writeset era="3" nr_bits="100"><bit block="1" value="true"/>)"
                          R"(</writeset>)";
  const std::string array =
      "<era_array>\n<era block=\"7\" era=\"2\"/>\n"
      "  <era block=\"8\" era=\"4\"/>\n</era_array>";
  const std::string xml =
      GENERATE_COPY(head + set + array, head + array + set, head + array + "<!-- -->" + set) +
      "</superblock>\n";
  INFO(xml);
  check_refused(bench, restore(bench, xml),
                {"line 3, column 3: block 8 has era 4, later than the writeset of era 3",
                 "logical form of the dump"});
  SECTION("but for --all-written they do not matter") {
    CHECK(restore(bench, xml, {"--all-written"}).status == 0);
    check_all_listed(bench, 5, 100);
  }
}

TEST_CASE("what every kernel makes is never refused for its eras", "[slow]") {
  const bench bench;
  for (const auto& image : harness::some_images()) {
    INFO(image.name);
    image.unpack(bench.metadata);
    const auto xml = fixtures::dump(bench.metadata);
    harness::make_zeroed(bench.device, image.metadata_bytes + (1 << 20));
    const auto restored = restore(bench, xml);
    CHECK(restored.err == "");
    CHECK(restored.status == 0);
  }
}

TEST_CASE("a dump is read back from what a device holds after it") {
  const bench bench;
  const std::string zeros(1 << 20, '\0');
  const std::string rest = GENERATE_COPY(as<std::string>{}, zeros, zeros.substr(0, 1),
                                         zeros.substr(0, 600) + "\nolder text\n");
  const std::string end = GENERATE("", "\n", "\r\n \t");
  const auto xml = fixtures::example().xml();
  const auto result = restore(bench, xml.substr(0, xml.size() - 1) + end + rest);
  CHECK(result.err == "");
  CHECK(result.status == 0);
  CHECK(fixtures::dump(bench.device) == xml);
}

TEST_CASE("a dump is read back from a device") {
  const bench bench;
  const auto xml = fixtures::example().xml();
  const auto file = bench / "holds_xml";
  harness::write_file(file, xml + std::string((8 << 20) - xml.size(), '\0'));
  const fixtures::loop_device device(file);
  if (!device.available()) {
    return;
  }
  const auto result = call("era_restore", {"-i", device.path(), "-o", bench.device});
  CHECK(result.err == "");
  CHECK(result.status == 0);
  CHECK(fixtures::dump(bench.device) == xml);
}

TEST_CASE("anything but zeros after a document is refused, and so are zeros within") {
  const bench bench;
  const std::string zero(1, '\0');
  const auto xml = fixtures::example().xml();
  const std::string bad =
      GENERATE_COPY(xml + "x" + zero, xml + "<!--" + zero + "-->",
                    xml.substr(0, xml.size() - 14) + zero + "\n</superblock>\n");
  check_refused(bench, restore(bench, bad), {"line ", "column "});
}

TEST_CASE("documents made to be slow take no more than a moment") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers take time of their own");
    return;
  }
  const bench bench;
  const std::string inside = GENERATE_COPY(
      "<era_array><!--" + lines(1'000'000) + "--></era_array>",
      "<era_array><era" + lines(1'000'000) + "block='1' era='1'/></era_array>",
      "<era_array><?a " + lines(1'000'000) + "?></era_array>",
      "<era_array" + lines(500'000) + ">" + lines(500'000) + "</era_array" + lines(500'000) + ">");
  const auto result = restore_in_time(bench, head + inside + "</superblock>", 10);
  CHECK(result.err == "");
  CHECK(result.status == 0);
}

TEST_CASE("runs of billions of bits take no more than a moment") {
  const bench bench;
  std::string xml = R"(<superblock uuid="" block_size="8" nr_blocks="1" current_era="9">)";
  for (const auto* const era : {"1", "2"}) {
    xml += std::string("<writeset era=\"") + era + "\" nr_bits=\"2000000000\">" +
           R"(<marked block_begin="1" len="1999999999"/></writeset>)";
  }
  harness::make_zeroed(bench.device, std::uint64_t{600} << 20);
  const auto result = restore_in_time(bench, xml + "<era_array/></superblock>", 5);
  CHECK(result.err == "");
  CHECK(result.status == 0);
}

TEST_CASE("unknown attributes do not eat memory") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers take memory of their own");
    return;
  }
  const bench bench;
  std::string xml = head + "<era_array>\n";
  for (int i = 0; i < 300'000; ++i) {
    const auto number = std::to_string(i);
    xml += "<era block='1' era='1' a" + number + "='' b" + number + "='' c" + number + "=''/>\n";
  }
  harness::write_file(bench.xml, xml);
  harness::run_options options;
  options.watch_memory = true;
  const auto result = call("era_restore", {"-i", bench.xml, "-o", bench.device}, options);
  CHECK(result.status == 1);
  CHECK_THAT(result.err, Contains("more than 1000 different unknown attributes"));
  CHECK(std::count(result.err.begin(), result.err.end(), '\n') <= 17);
  CHECK(result.peak_memory < std::uint64_t{48} << 20);
}

TEST_CASE("a lack of memory is not taken for bad XML") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers take memory of their own");
    return;
  }
  const bench bench;
  // Expat wants memory for all of it at once, and this reader for nothing after that.
  const std::string comment = "<!--" + std::string(900'000, 'x') + "-->";
  harness::write_file(bench.xml, head + "<era_array>" + comment + "</era_array></superblock>");
  int failures = 0;
  for (std::uint64_t mib = 16; mib < 64; ++mib) {
    harness::run_options options;
    options.memory_limit = mib << 20;
    const auto result = call("era_restore", {"-i", bench.xml, "-o", bench.device}, options);
    INFO(mib << " MiB: " << result.err);
    CHECK(result.err.find("Is this XML") == std::string::npos);
    failures += result.status == 0 ? 0 : 1;
  }
  CHECK(failures > 0);
}
