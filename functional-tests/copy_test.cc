// era_copy from files to files: the copy is the origin, byte for byte, whatever the list; the state
// file says what is true; and what cannot be right is refused before anything is written.
#include <sys/stat.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "harness.h"

using Catch::Contains;
using fixtures::call;
using fixtures::changed_device;
using fixtures::has_bytes;
using fixtures::require_done;
using fixtures::state_in;

namespace {

using words = std::vector<std::string>;

harness::result copy(const changed_device& device, words options, const std::string& target) {
  options.insert(options.end(), {device / "metadata", device / "origin", target});
  return call("era_copy", options);
}

void check_refused(const harness::result& got, const std::string& fact) {
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK_THAT(got.err, Contains(fact));
}

std::uint64_t allocated(const std::string& path) {
  struct stat info {};
  REQUIRE(::stat(path.c_str(), &info) == 0);
  return static_cast<std::uint64_t>(info.st_blocks) * 512;
}

}  // namespace

TEST_CASE("a copy of the changed blocks makes the target the origin", "[slow]") {
  unsigned seed = 0;
  for (const std::uint64_t sectors : {40000 - 3, 32768, 8192 + 1}) {
    for (const std::uint64_t block : {8, 128, 512, 24}) {
      ++seed;
      if (!harness::at_length() && seed % 2 == 0) {
        continue;
      }
      const changed_device device({sectors, block, seed});
      const std::string target = device / "target";
      for (const words& options :
           {words{}, words{"--skip-equal"}, words{"--verify", "--no-sparse"}}) {
        INFO(sectors << " sectors in blocks of " << block);
        harness::write_file(target, device.base());
        auto all = options;
        all.insert(all.end(), {"--written-since", device.since()});
        require_done(copy(device, all, target));
        CHECK(has_bytes(target, device.origin()));
        // And only what is listed was copied.
        const std::string zeros(device.origin().size(), '\0');
        harness::write_file(target, zeros);
        require_done(copy(device, all, target));
        CHECK(has_bytes(target, device.overlaid(zeros)));
      }
    }
  }
}

TEST_CASE("a copy says what it did") {
  const changed_device device;
  const std::string target = device / "target";
  const std::string listed = std::to_string(device.listed_bytes());
  harness::write_file(target, device.base());
  const auto text = copy(device, {"--written-since", device.since()}, target);
  require_done(text);
  CHECK_THAT(text.out, Contains("round 1: " + listed + " bytes in ") &&
                           Contains(", written since era " + device.since() + ", ") &&
                           Contains(target + ": " + listed + " bytes copied: ") &&
                           Contains("next time: --written-since "));

  const auto again =
      copy(device, {"--written-since", device.since(), "--skip-equal", "--format", "json"}, target);
  require_done(again);
  const auto json = nlohmann::json::parse(again.out);
  CHECK(json.at("tool") == "era_copy");
  CHECK(json.at("bytes_copied") == device.listed_bytes());
  CHECK(json.at("bytes_equal") == device.listed_bytes());
  CHECK(json.at("bytes_written") == 0);
  CHECK(json.at("rounds").size() == 1);
  CHECK(json.at("rounds")[0].at("written_since") == std::stoi(device.since()));
  CHECK(json.at("consistent") == false);
  CHECK(json.at("next_since") > std::stoi(device.since()));

  CHECK(copy(device, {"--written-since", device.since(), "-q"}, target).out == "");
}

TEST_CASE("a copy of everything makes a new file, sparse where there are zeros") {
  const changed_device device({200000, 128, 3});
  const std::string target = device / "target";
  require_done(copy(device, {"--written-since", "0"}, target));
  CHECK(has_bytes(target, device.origin()));
  CHECK(allocated(target) < device.origin().size() / 2);
  require_done(copy(device, {"--written-since", "0", "--no-sparse"}, target));
  CHECK(has_bytes(target, device.origin()));
  CHECK(allocated(target) >= device.origin().size());
  // Zeros come to where there was something else.
  harness::write_file(target, std::string(device.origin().size(), 'x'));
  require_done(copy(device, {"--written-since", "0"}, target));
  CHECK(has_bytes(target, device.origin()));
}

TEST_CASE("a part is not copied to what is no copy of the rest") {
  const changed_device device;
  const std::string target = device / "target";
  const words since = {"--written-since", device.since()};
  check_refused(copy(device, since, target), target + ": No such file or directory");
  CHECK_FALSE(std::filesystem::exists(target));
  for (const std::string& shorter : {std::string(), device.base().substr(0, 1 << 20)}) {
    harness::write_file(target, shorter);
    check_refused(copy(device, since, target),
                  "not all that is missing was written since era " + device.since());
    CHECK(has_bytes(target, shorter));
  }
  // The last block is listed: what is missing of it is no hindrance.
  harness::write_file(target, device.base().substr(0, device.base().size() - 512));
  require_done(copy(device, since, target));
  CHECK(has_bytes(target, device.origin()));
}

TEST_CASE("a longer target keeps what lies past the end of the device") {
  const changed_device device;
  const std::string target = device / "target";
  harness::write_file(target, device.base() + "more");
  require_done(copy(device, {"--written-since", device.since()}, target));
  CHECK(has_bytes(target, device.origin() + "more"));
}

TEST_CASE("a block device is a target, and one that is too small is not") {
  const changed_device device;
  const std::string file = device / "file";
  harness::make_zeroed(file, 21 << 20);
  {
    fixtures::loop_device loop(file);
    if (!loop.available()) {
      return;
    }
    require_done(copy(device, {"--written-since", "0", "--verify"}, loop.path()));
    CHECK(harness::read_file(loop.path()).substr(0, device.origin().size()) == device.origin());
  }
  harness::make_zeroed(file, 16 << 20);
  fixtures::loop_device loop(file);
  if (loop.available()) {
    check_refused(copy(device, {"--written-since", "0"}, loop.path()),
                  loop.path() + ": has only 16777216 bytes, and 20478464 are needed");
  }
}

TEST_CASE("the target is not what is copied, nor the metadata") {
  const changed_device device;
  for (const std::string name : {"origin", "metadata"}) {
    const auto got = copy(device, {"--written-since", "0"}, device / name);
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains(device / name));
  }
  CHECK(has_bytes(device / "origin", device.origin()));
}

TEST_CASE("a state file remembers from copy to copy") {
  changed_device device;
  const std::string target = device / "target";
  const std::string state = device / "state";
  require_done(copy(device, {"--since-file", state}, target));
  CHECK(has_bytes(target, device.origin()));
  CHECK(state_in(state).at("in_progress") == false);
  for (unsigned night = 1; night <= 4; ++night) {
    const auto before = state_in(state);
    device.change(100 + night);
    const auto got = copy(device, {"--since-file", state, "--format", "json"}, target);
    require_done(got);
    CHECK(has_bytes(target, device.origin()));
    CHECK(state_in(state).at("next_since") > before.at("next_since"));
    const auto json = nlohmann::json::parse(got.out);
    CHECK(json.at("rounds")[0].at("written_since") == before.at("next_since"));
    CHECK(json.at("bytes_copied") < device.origin().size());
  }
}

TEST_CASE("a copy that fails leaves a state file that says so, and is repeated from the same era") {
  changed_device device;
  const std::string target = device / "target";
  const std::string state = device / "state";
  require_done(copy(device, {"--since-file", state}, target));
  const auto before = state_in(state);
  device.change(7);
  // A limit on the size of files cuts it short.
  const auto failed =
      harness::run({"bash", "-c", R"(ulimit -f 4096; exec "$@")", "-", harness::tool("era_copy"),
                    "--since-file", state, device / "metadata", device / "origin", target});
  CHECK(failed.status == 1);
  CHECK_THAT(failed.err, Contains(target + ": writing at byte ") && Contains("File too large"));
  CHECK(failed.out == "");
  CHECK(state_in(state).at("in_progress") == true);
  CHECK(state_in(state).at("next_since") == before.at("next_since"));
  device.change(8);
  require_done(copy(device, {"--since-file", state}, target));
  CHECK(has_bytes(target, device.origin()));
  CHECK(state_in(state).at("in_progress") == false);
}

TEST_CASE("a copy that is refused leaves the state file as it was") {
  const changed_device device;
  const std::string state = device / "state";
  const auto refused = copy(device, {"--since-file", state}, device / "no/such/folder");
  CHECK(refused.status == 1);
  CHECK_FALSE(std::filesystem::exists(state));
}

TEST_CASE("an origin that changes while it is copied is found out") {
  const changed_device device;
  // It is slow enough that the change comes in between.
  const auto got = harness::run(
      {"bash", "-c",
       R"((sleep 1; printf x | dd of="$5" conv=notrunc bs=1 status=none) & "$@"; s=$?; wait; exit $s)",
       "-", harness::tool("era_copy"), "--written-since", "0", "--rate=4M", device / "metadata",
       device / "origin", device / "target"});
  CHECK(got.status == 1);
  CHECK(got.out == "");
}

TEST_CASE("a state file is of one copy at a time") {
  const changed_device device;
  const std::string state = device / "state";
  // A slow copy has it; the other one has another target.
  const auto got = harness::run(
      {"bash", "-c",
       R"("$@" --rate=8M "$0/first" & for i in {1..200}; do [ -e "$0/state" ] && break; sleep 0.01; done
"$@" "$0/second"; s=$?; wait $! || exit 9; exit $s)",
       device / ".", harness::tool("era_copy"), "-q", "--since-file", state, device / "metadata",
       device / "origin"});
  CHECK(got.status == 1);
  CHECK_FALSE(std::filesystem::exists(device / "second"));
  CHECK(has_bytes(device / "first", device.origin()));
  CHECK(state_in(state).at("in_progress") == false);
}

TEST_CASE("a state file or target that goes away meanwhile is not said to be complete") {
  const changed_device device;
  const std::string state = device / "state";
  const std::string target = device / "target";
  for (const std::string change :
       {"rm target", "mv other target", "rm state", "cp state x; mv x state"}) {
    INFO(change);
    std::filesystem::remove(state);
    harness::write_file(device / "other", "other");
    const auto got = harness::run(
        {"bash", "-c",
         R"(cd "$1"; change=$2; shift 2; "$@" & for i in {1..200}; do [ -e state ] && break; sleep 0.01; done
sleep 0.2; eval "$change"; wait $!)",
         "-", device / ".", change, harness::tool("era_copy"), "--rate=16M", "--since-file", state,
         device / "metadata", device / "origin", target});
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains("replaced"));
    CHECK((!std::filesystem::exists(state) || state_in(state).at("in_progress") == true));
  }
}

TEST_CASE("metadata that has no data blocks yet says nothing of the device") {
  const changed_device device;
  harness::make_zeroed(device / "empty", 1 << 20);
  harness::write_file(
      device / "xml",
      "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"0\" current_era=\"0\">\n"
      "  <era_array>\n  </era_array>\n</superblock>\n");
  REQUIRE(call("era_restore", {"-i", device / "xml", "-o", device / "empty"}).status == 0);
  check_refused(call("era_copy", {"--written-since", "0", device / "empty", device / "origin",
                                  device / "target"}),
                device / "empty" + ": has no data blocks yet");
  CHECK_FALSE(std::filesystem::exists(device / "target"));
}

TEST_CASE("calls of era_copy that cannot be meant are refused") {
  const changed_device device;
  const std::string m = device / "metadata";
  const std::string o = device / "origin";
  const std::string t = device / "target";
  const std::vector<std::pair<words, std::string>> calls = {
      {{m, o, t}, "Please specify --written-since ERA"},
      {{"--written-since", "1"}, "No metadata provided."},
      {{"--written-since", "1", m}, "No origin provided."},
      {{"--written-since", "1", m, o}, "No target provided."},
      {{"--written-since", "1", m, o, t, t}, "unexpected argument '" + t + "'"},
      {{"--written-since", "1", "--live", "x", m, t}, "unexpected argument '" + t + "'"},
      {{"--written-since", "1", "--since-file", "s", m, o, t}, "exclude each other"},
      {{"--written-since", "1", "--delta", "-", "--verify", m, o}, "exclude each other"},
      {{"--written-since", "1", "--delta", "-", "--format", "text", m, o}, "standard output"},
      {{"--written-since", "1", "--consistent", m, o, t}, "goes with --live only"},
      {{"--written-since", "1", "--max-rest", "1M", "--live", "x", t}, "goes with --consistent"},
      {{"--written-since", "1", "--rate", "0", m, o, t}, "positive multiple of a sector"},
      {{"--written-since", "1", "--format", "xml", m, o, t}, "is not text or json"},
      {{"--apply", "x", "--written-since", "1", t}, "exclude each other"},
      {{"--written-since", "1", m, o, "-"}, "-: standard input and output are for deltas"},
      {{"--commit-since", device / "state", t}, "unexpected argument"},
      {{"--commit-since", device / "state", "--delta", "d", m, o}, "exclude each other"},
      {{"--written-since", "0", "--live", "x", "--dry-run", "--format", "text", t},
       "exclude each other"},
      {{"--written-since", "99", m, o, t}, "the list since era 99 is asked for"},
  };
  for (const auto& [arguments, fact] : calls) {
    const auto got = call("era_copy", arguments);
    CAPTURE(arguments);
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains(fact));
    CHECK_FALSE(std::filesystem::exists(t));
  }
}
