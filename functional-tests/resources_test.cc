// What the tools take of the system: memory that does not grow with the device, and threads only
// where they can be had.
#include <filesystem>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using fixtures::bench;
using fixtures::call;

using words = std::vector<std::string>;

constexpr std::uint64_t mib = std::uint64_t{1} << 20;
constexpr std::uint64_t nr_blocks = 100'000'000;

// A place for 400 MiB of metadata: in memory where there is room for it, for the sake of time.
std::filesystem::path place_for_metadata() {
  std::error_code none;
  const auto room = std::filesystem::space("/dev/shm", none);
  return !none && room.available > 1024 * mib ? std::filesystem::path("/dev/shm")
                                              : std::filesystem::temp_directory_path();
}

std::uint64_t peak_of(const std::string& name, const words& arguments) {
  harness::run_options options;
  options.watch_memory = true;
  options.stdout_path = "/dev/null";
  const auto result = call(name, arguments, options);
  CHECK(result.status == 0);
  CHECK(result.err == "");
  CHECK(result.peak_memory > 0);
  return result.peak_memory;
}

}  // namespace

TEST_CASE("100 million blocks take less than 48 MiB of memory") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers take memory of their own");
    return;
  }
  const harness::temporary_folder folder(place_for_metadata());
  const std::string metadata = folder / "metadata";
  const std::string xml = folder / "xml";
  std::string text = "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"" +
                     std::to_string(nr_blocks) + "\" current_era=\"8\">\n";
  for (std::uint64_t era = 1; era <= 8; ++era) {
    text += "  <writeset era=\"" + std::to_string(era) + "\" nr_bits=\"" +
            std::to_string(nr_blocks) + "\">\n";
    text += "    <marked block_begin=\"" + std::to_string(era * 10'000'000) +
            "\" len=\"10000000\"/>\n  </writeset>\n";
  }
  harness::write_file(xml, text + "  <era_array>\n  </era_array>\n</superblock>\n");
  harness::make_zeroed(metadata, 512 * mib);
  constexpr std::uint64_t most = 48 * mib;

  CHECK(peak_of("era_restore", {"-i", xml, "-o", metadata}) < most);
  CHECK(peak_of("era_check", {metadata}) < most);
  CHECK(peak_of("era_dump", {"--compact", metadata}) < most);
  CHECK(peak_of("era_dump", {"--logical", metadata}) < most);
  CHECK(peak_of("era_stat", {"--svg", "/dev/null", "--format", "json", metadata}) < most);
  // The list of one bit a block comes on top.
  CHECK(peak_of("era_invalidate", {"--written-since", "5", metadata}) < most + nr_blocks / 8);
}

TEST_CASE("where no thread can be had, the tools do the same") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers need a thread of their own");
    return;
  }
  if (!fixtures::nobody_can_run_tools()) {
    return;
  }
  const bench bench;
  harness::run_options nobody;
  nobody.as_nobody = true;
  // One process is the tool itself.
  const auto alone = [&](const std::string& name, words arguments) {
    arguments.insert(arguments.begin(), {"prlimit", "--nproc=1", harness::tool(name)});
    return harness::run(arguments, nobody);
  };
  const auto threads =
      harness::run({"prlimit", "--nproc=1", "sh", "-c", "(true) && (true)"}, nobody);
  if (threads.status == 0) {
    WARN("skipped: the system does not limit the processes of nobody");
    return;
  }
  const words calls[] = {{"era_check", bench.metadata},
                         {"era_dump", bench.metadata},
                         {"era_dump", "--logical", bench.metadata},
                         {"era_invalidate", "--written-since", "1", bench.metadata},
                         {"era_stat", bench.metadata}};
  for (const words& one : calls) {
    INFO(one[0]);
    const words arguments(one.begin() + 1, one.end());
    const auto expected = call(one[0], arguments);
    const auto got = alone(one[0], arguments);
    CHECK(got.status == 0);
    CHECK(got.err == "");
    CHECK(got.out == expected.out);
  }
  std::filesystem::permissions(bench.device, std::filesystem::perms::all);
  CHECK(alone("era_restore", {"-i", bench.xml, "-o", bench.device}).status == 0);
  CHECK(call("era_check", {bench.device}).status == 0);
}
