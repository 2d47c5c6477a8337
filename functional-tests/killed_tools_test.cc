// Tools that write are killed at any moment: what they write is as it was, or whole, or refused by
// all who read it, and nothing is left beside it.
//
// The moments are random, over the time that the tool takes, which is measured first. ERA_LONG=1
// tries hundreds of them.
#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <map>
#include <random>
#include <set>

#include "catch.h"
#include "failing_system.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using failing::words;
using std::chrono::duration;
using std::chrono::steady_clock;

constexpr std::uint32_t seed = 20240229;

struct ending {
  int number;
  std::string name;
};

const ending& random_ending(std::mt19937& random) {
  static const std::vector<ending> all = {{SIGKILL, "KILL"}, {SIGINT, "INT"}, {SIGTERM, "TERM"},
                                          {SIGKILL, "KILL"}, {SIGHUP, "HUP"}, {SIGQUIT, "QUIT"}};
  return all[random() % all.size()];
}

// A tool that is to be killed. `outcome` says what has become of its output: "untouched",
// "refused", "complete", or something else, which is wrong.
struct victim {
  std::string name;
  words command;
  std::function<void()> prepare;
  std::function<std::string()> outcome;
  std::string folder;  // in which nothing may be left
  std::set<std::string> names;
};

double seconds_of(const victim& of) {
  double most = 0;
  for (int repeated = 0; repeated < 3; ++repeated) {
    of.prepare();
    const auto begin = steady_clock::now();
    REQUIRE(harness::run(of.command).status == 0);
    most = std::max(most, duration<double>(steady_clock::now() - begin).count());
    REQUIRE(of.outcome() == "complete");
  }
  return most;
}

harness::result run_killed(const victim& of, const ending& how, double after) {
  words command = {"timeout", "--foreground", "--preserve-status",
                   "-s",      how.name,       std::to_string(after)};
  command.insert(command.end(), of.command.begin(), of.command.end());
  return harness::run(command);
}

// What is there but should not be. A file with a temporary name may be, after a SIGKILL.
std::string left_over(const victim& of, bool killed_outright) {
  for (const auto& name : fixtures::names_in(of.folder)) {
    const bool is_temporary = name.rfind(".tmp-", 0) == 0;
    if (of.names.count(name) != 0) {
      continue;
    }
    std::filesystem::remove(std::filesystem::path(of.folder) / name);
    if (!is_temporary || !killed_outright) {
      return name;
    }
  }
  return "";
}

void check_kills(const victim& of) {
  std::mt19937 random(seed);
  const double takes = seconds_of(of);
  const int runs = harness::at_length() ? 200 : 14;
  std::map<std::string, int> outcomes;
  int ended = 0;
  for (int run = 0; run < runs; ++run) {
    const auto& how = random_ending(random);
    const double after = takes * (random() % 10000 + 1) / 10000;
    of.prepare();
    const auto got = run_killed(of, how, after);
    const auto outcome = of.outcome();
    INFO(of.name << ", run " << run << ", " << how.name << " after " << after << " s: status "
                 << got.status << ", " << outcome << ", " << got.err);
    CHECK((got.status == 0 || got.status == 128 + how.number));
    CHECK((got.status != 0 || outcome == "complete"));
    CHECK((outcome == "untouched" || outcome == "refused" || outcome == "complete"));
    CHECK(left_over(of, got.status == 128 + SIGKILL) == "");
    ended += got.status != 0 ? 1 : 0;
    ++outcomes[outcome];
  }
  std::printf("seed %u; %s takes %.0f ms\n", static_cast<unsigned>(seed), of.name.c_str(),
              1000 * takes);
  harness::print_table(
      {{of.name, "runs", "killed", "untouched", "refused", "complete"},
       {"", std::to_string(runs), std::to_string(ended), std::to_string(outcomes["untouched"]),
        std::to_string(outcomes["refused"]), std::to_string(outcomes["complete"])}});
  CHECK(ended > 0);
}

// Metadata that takes a dump its time.
class large_metadata {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  large_metadata() : device(folder_ / "device") {
    fixtures::document document;
    document.nr_blocks = 400'000;
    document.current_era = 9;
    for (std::uint32_t block = 0; block < document.nr_blocks; ++block) {
      document.eras[block] = block * 7 % 9;
    }
    text = document.xml();
    fixtures::restore(text, device, 4 << 20);
    REQUIRE((fixtures::dump(device) == text));
  }

  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::string folder() const { return folder_.path(); }

  const std::string device;
  std::string text;
};

// A document that makes much metadata of few words, that metadata with damage, and a device that
// holds other metadata.
class large_device {
  harness::temporary_folder folder_{failing::fast_folder()};

 public:
  large_device() : xml(folder_ / "xml"), damaged(folder_ / "damaged"), device(folder_ / "device") {
    std::string text =
        R"(<superblock uuid="" block_size="8" nr_blocks="9000000" current_era="3"><era_array>)";
    for (std::uint32_t block = 0; block < 9'000'000; block += 30) {
      text += "<era block=\"" + std::to_string(block) + "\" era=\"2\"/>\n";
    }
    harness::write_file(xml, text + "</era_array></superblock>\n");
    harness::image_named("one_era").unpack(device);
    begin_ = harness::read_file(device);
    prepare();
    old_ = harness::read_file(device);
    REQUIRE(fixtures::call("era_restore", {"-i", xml, "-o", device}).status == 0);
    harness::metadata_bytes metadata(harness::read_file(device));
    metadata.damage(metadata.array_blocks(era_array(metadata)).rbegin()->second, 2000, 1);
    harness::write_file(damaged, metadata.bytes());
  }

  victim overwritten_by(const std::string& tool, const std::string& input) const {
    const words command = {harness::tool(tool), "-i", input, "-o", device};
    prepare();
    REQUIRE(harness::run(command).status == 0);
    REQUIRE(fixtures::call("era_check", {device}).status == 0);
    const auto complete = harness::read_file(device);
    return {tool,
            command,
            [this] { prepare(); },
            [this, complete]() -> std::string {
              const auto now = harness::read_file(device);
              return now == old_                   ? "untouched"
                     : now == complete             ? "complete"
                     : failing::is_refused(device) ? "refused"
                                                   : "taken for metadata";
            },
            folder_.path(),
            {"xml", "damaged", "device"}};
  }

  const std::string xml;
  const std::string damaged;
  const std::string device;

 private:
  void prepare() const {
    harness::write_file(device, begin_);
    std::filesystem::resize_file(device, device_bytes);
  }

  static constexpr std::uint64_t device_bytes = 37 << 20;
  std::string begin_;
  std::string old_;
};

// `old`: what the file held before; empty if there was none.
victim dumping(const large_metadata& metadata, const std::string& old) {
  const auto result = metadata / "result";
  return {old.empty() ? "era_dump -o new" : "era_dump -o old",
          {harness::tool("era_dump"), metadata.device, "-o", result},
          [=] {
            std::filesystem::remove(result);
            if (!old.empty()) {
              harness::write_file(result, old);
            }
          },
          [&metadata, result, old]() -> std::string {
            const auto now = std::filesystem::exists(result) ? harness::read_file(result) : "";
            return now == old ? "untouched" : now == metadata.text ? "complete" : "a part";
          },
          metadata.folder(),
          {"device", "result"}};
}

}  // namespace

TEST_CASE("tools that are killed leave a device as it was, whole, or refused", "[slow]") {
  const large_device device;
  SECTION("by a restore") {
    check_kills(device.overwritten_by("era_restore", device.xml));
  }
  SECTION("by a repair") {
    check_kills(device.overwritten_by("era_repair", device.damaged));
  }
}

TEST_CASE("dumps that are killed leave a file as it was, or whole") {
  const large_metadata metadata;
  check_kills(dumping(metadata, ""));
  check_kills(dumping(metadata, "what it held before\n"));
}
