// Deltas: what one era_copy writes another applies, through a pipe as well; one that is out of
// order or cut off is refused, and says what that means for the target.
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

void write_delta(const changed_device& device, const words& since, const std::string& to) {
  words all = since;
  all.insert(all.end(), {"--delta", to, device / "metadata", device / "origin"});
  require_done(call("era_copy", all));
}

}  // namespace

TEST_CASE("a delta is applied to a copy, and makes it the origin") {
  for (const std::uint64_t block : {8, 128, 1024}) {
    const changed_device device({30000 + block, block, 5});
    const std::string target = device / "target";
    write_delta(device, {"--written-since", device.since()}, device / "delta");
    for (const words& options : {words{}, words{"--skip-equal", "--verify"}}) {
      harness::write_file(target, device.base());
      words all = options;
      all.insert(all.end(), {"--apply", device / "delta", target});
      const auto got = call("era_copy", all);
      require_done(got);
      CHECK(has_bytes(target, device.origin()));
      CHECK_THAT(got.out, Contains(std::to_string(device.listed_bytes()) + " bytes copied") &&
                              Contains("written since era " + device.since()));
    }
  }
}

TEST_CASE("a delta goes through a pipe to another machine, night after night") {
  changed_device device;
  const std::string target = device / "target";
  const std::string loop =
      R"sh(set -o pipefail
"$0" --since-file here --delta - metadata origin |
  "$0" --apply - --since-file there target &&
  "$0" --commit-since here)sh";
  harness::run_options options;
  options.folder = device / ".";
  for (unsigned night = 0; night < 4; ++night) {
    device.change(200 + night);
    require_done(harness::run({"bash", "-c", loop, harness::tool("era_copy")}, options));
    CHECK(has_bytes(target, device.origin()));
    CHECK(state_in(device / "here").at("next_since") ==
          state_in(device / "there").at("next_since"));
    CHECK(state_in(device / "there").at("in_progress") == false);
  }
}

TEST_CASE("a delta that was not committed is made again from the same era") {
  changed_device device;
  const std::string state = device / "state";
  write_delta(device, {"--since-file", state}, device / "first");
  require_done(call("era_copy", {"--commit-since", state}));
  const auto before = harness::read_file(state);
  device.change(7);
  write_delta(device, {"--since-file", state}, device / "lost");
  CHECK(harness::read_file(state) == before);
  device.change(8);
  write_delta(device, {"--since-file", state}, device / "second");
  require_done(call("era_copy", {"--apply", device / "first", device / "target"}));
  require_done(call("era_copy", {"--apply", device / "second", device / "target"}));
  CHECK(has_bytes(device / "target", device.origin()));
}

TEST_CASE("deltas are applied in order, where a state file says what the target holds") {
  changed_device device;
  const std::string state = device / "state";
  const std::string target = device / "target";
  std::vector<std::string> origins;
  for (int i = 0; i < 3; ++i) {
    device.change(static_cast<unsigned>(300 + i));
    write_delta(device, {"--since-file", state}, device / ("delta" + std::to_string(i)));
    require_done(call("era_copy", {"--commit-since", state}));
    origins.push_back(device.origin());
  }
  const auto apply = [&](int i) {
    return call("era_copy", {"--since-file", device / "target.state", "--apply",
                             device / ("delta" + std::to_string(i)), target});
  };
  CHECK_THAT(apply(1).err,
             Contains("there is no state file") && Contains("Apply a delta of everything first."));
  require_done(apply(0));
  CHECK_THAT(apply(2).err, Contains("Apply the deltas in the order in which they were made."));
  CHECK(has_bytes(target, origins[0]));
  require_done(apply(1));
  CHECK(apply(1).status == 1);
  require_done(apply(2));
  CHECK(has_bytes(target, origins[2]));
  require_done(apply(0));  // everything, whatever was there
  CHECK(has_bytes(target, origins[0]));
}

TEST_CASE("a delta that is cut off anywhere fails, and the state file says half-way", "[slow]") {
  // 8-sector blocks, few of them.
  const changed_device device({700, 8, 2});
  const std::string target = device / "target";
  const std::string state = device / "target.state";
  write_delta(device, {"--written-since", "0"}, device / "whole");
  const std::string whole = harness::read_file(device / "whole");
  write_delta(device, {"--written-since", device.since()}, device / "delta");
  const std::string delta = harness::read_file(device / "delta");
  REQUIRE(delta.size() > 1000);
  require_done(call("era_copy", {"--apply", device / "whole", "--since-file", state, target}));
  const std::string complete = harness::read_file(state);
  // Of a state from which the delta starts.
  auto base_state = nlohmann::json::parse(complete);
  base_state["next_since"] = std::stoi(device.since());
  base_state["current_era"] = std::stoi(device.since()) - 1;
  // Each byte of the header and the first records, then some.
  for (std::size_t size = 0; size < delta.size(); size += size < 200 ? 1 : 3511) {
    INFO("cut at byte " << size);
    harness::write_file(device / "cut", delta.substr(0, size));
    harness::write_file(target, device.base());
    harness::write_file(state, base_state.dump());
    const auto got = call("era_copy", {"--apply", device / "cut", "--since-file", state, target});
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains("byte " + std::to_string(size) + ": ") && Contains("cut off"));
    const auto now = state_in(state);
    CHECK(now.at("next_since") == std::stoi(device.since()));
    if (got.err.find("half-way") == std::string::npos) {
      CHECK(has_bytes(target, device.base()));
      CHECK_FALSE(now.value("in_progress", false));
    } else {
      CHECK(now.at("in_progress") == true);
    }
  }
  require_done(call("era_copy", {"--apply", device / "delta", "--since-file", state, target}));
  CHECK(has_bytes(target, device.origin()));
  CHECK(state_in(state).at("in_progress") == false);
}

TEST_CASE("what is no delta is not applied") {
  const changed_device device;
  const std::string target = device / "target";
  harness::write_file(target, device.base());
  for (const std::string name : {"metadata", "origin"}) {
    const auto got = call("era_copy", {"--apply", device / name, target});
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Contains("is not a delta stream"));
  }
  CHECK_THAT(call("era_copy", {"--apply", device / "none", target}).err,
             Contains(device / "none" + ": No such file or directory"));
  CHECK(call("era_copy", {"--apply", device / ".", target}).status == 1);
  CHECK(has_bytes(target, device.base()));
}

TEST_CASE("a delta is not applied to what is no copy") {
  const changed_device device;
  const std::string target = device / "target";
  write_delta(device, {"--written-since", device.since()}, device / "delta");
  const auto missing = call("era_copy", {"--apply", device / "delta", target});
  CHECK(missing.status == 1);
  CHECK_THAT(missing.err, Contains(target + ": No such file or directory"));
  harness::write_file(target, device.base().substr(0, 4096));
  const auto shorter = call("era_copy", {"--apply", device / "delta", target});
  CHECK(shorter.status == 1);
  CHECK_THAT(shorter.err, Contains("was shorter than the device"));
}

TEST_CASE("a delta to a full disk or a closed pipe fails, and there is no file") {
  const changed_device device;
  const auto full = harness::run({"bash", "-c", R"("$0" "$@" >/dev/full)",
                                  harness::tool("era_copy"), "--written-since", "0", "--delta", "-",
                                  device / "metadata", device / "origin"});
  CHECK(full.status == 1);
  CHECK_THAT(full.err, Contains("No space left on device"));
  const auto closed =
      harness::run({"bash", "-c", R"("$0" "$@" | head -c 100 >/dev/null; exit "${PIPESTATUS[0]}")",
                    harness::tool("era_copy"), "--written-since", "0", "--delta", "-",
                    device / "metadata", device / "origin"});
  CHECK(closed.status == 1);
  CHECK(closed.err == "");
}

TEST_CASE("a delta from nothing makes zeros of what it does not mention") {
  const changed_device device;
  const std::string target = device / "target";
  const std::string delta = std::string("rbd diff v1\ns") + std::string("\0\0\2\0\0\0\0\0", 8) +
                            "w" + std::string("\0\x10\0\0\0\0\0\0", 8) +
                            std::string("\4\0\0\0\0\0\0\0", 8) + "datae";
  harness::write_file(device / "delta", delta);
  harness::write_file(target, std::string(200000, 'x'));
  require_done(call("era_copy", {"--apply", device / "delta", target}));
  std::string wanted(131072, '\0');
  wanted.replace(4096, 4, "data");
  CHECK(has_bytes(target, wanted + std::string(200000 - 131072, 'x')));
}

TEST_CASE("a delta of a device of another size is not applied, where a state file is kept") {
  changed_device device;
  changed_device other({50000, 128, 9});
  const auto first = [](const changed_device& of) {
    write_delta(of, {"--since-file", of / "state"}, of / "first");
    require_done(call("era_copy", {"--commit-since", of / "state"}));
    require_done(call(
        "era_copy", {"--apply", of / "first", "--since-file", of / "target.state", of / "target"}));
  };
  first(device);
  first(other);
  other.change(5);
  write_delta(other, {"--since-file", other / "state"}, other / "second");
  const auto got = call("era_copy", {"--apply", other / "second", "--since-file",
                                     device / "target.state", device / "target"});
  CHECK(got.status == 1);
  CHECK_THAT(got.err, Contains("is of a device of 391 data blocks of 128 sectors"));
  CHECK(has_bytes(device / "target", device.origin()));
}

TEST_CASE("a delta that was made before a copy which was interrupted is not committed") {
  changed_device device;
  const std::string state = device / "state";
  write_delta(device, {"--since-file", state}, device / "delta");
  device.change(3);
  harness::write_file(device / "target", device.base());
  const auto cut = harness::run({"bash", "-c", R"(ulimit -f 4096; exec "$@")", "-",
                                 harness::tool("era_copy"), "--no-sparse", "--since-file", state,
                                 device / "metadata", device / "origin", device / "target"});
  REQUIRE(cut.status == 1);
  REQUIRE(state_in(state).at("in_progress") == true);
  const auto got = call("era_copy", {"--commit-since", state});
  CHECK(got.status == 1);
  CHECK_THAT(got.err, Contains("is older than the copy that was interrupted"));
  CHECK(state_in(state).at("in_progress") == true);
}

TEST_CASE("a delta is not written over what it is made of") {
  const changed_device device;
  const std::string metadata = harness::read_file(device / "metadata");
  for (const std::string name : {"metadata", "origin"}) {
    const auto got = call("era_copy", {"--written-since", "0", "--delta", device / name,
                                       device / "metadata", device / "origin"});
    CHECK(got.status == 1);
    CHECK_THAT(got.err, Contains(device / name + ": is the input"));
  }
  CHECK(has_bytes(device / "origin", device.origin()));
  CHECK(has_bytes(device / "metadata", metadata));
}
