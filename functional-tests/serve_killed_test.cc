// Servers that are killed under load, again and again on the same disk: what was answered is
// recorded, what has reached the disk is too, and the metadata is sound whenever it is looked at.
// ERA_LONG=1 kills hundreds.
#include <chrono>
#include <map>
#include <random>
#include <thread>

#include "catch.h"
#include "failing_system.h"
#include "fixtures.h"
#include "metadata_bytes.h"
#include "nbdkit_server.h"
#include "random_load.h"
#include "served_model.h"

namespace {

using serving::nbdkit_server;
using serving::random_load;
using serving::served_model;

constexpr std::uint64_t block_bytes = 32 << 10;
constexpr std::uint64_t disk_bytes = (16 << 20) + 5 * 512;  // the last block is a part

std::string joined(const std::vector<std::string>& lines) {
  std::string text;
  for (const std::string& line : lines) {
    text += line + "\n";
  }
  return text;
}

// What was seen in all rounds.
struct tally {
  std::uint64_t answered = 0;
  std::uint64_t unanswered = 0;
  int open_eras = 0;
  int snapshots = 0;
};

void note_metadata(const std::string& path, tally& seen) {
  const harness::metadata_bytes metadata(harness::read_file(path));
  seen.open_eras += metadata.get64(0, harness::superblock::current_root) != 0 ? 1 : 0;
  seen.snapshots += metadata.get64(0, harness::superblock::snapshot) != 0 ? 1 : 0;
}

// Serves the disk for a while under load, and kills the server.
void kill_once(const std::string& folder, served_model& model, unsigned round, tally& seen) {
  std::mt19937 random(round);
  nbdkit_server server(folder,
                       {"metadata=metadata", "origin=origin", "control=control", "block-size=32k"});
  random_load load(server, model, round);
  std::this_thread::sleep_for(std::chrono::milliseconds(random() % 400));
  load.expect_end();
  server.kill();
  load.stop();
  CHECK(joined(load.problems()) == "");
  for (const auto& [name, count] : load.answered()) {
    seen.answered += count;
  }
  seen.unanswered += load.unanswered();
}

}  // namespace

TEST_CASE("servers that are killed have recorded all that they wrote", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  const unsigned rounds = harness::at_length() ? 300 : 20;
  const harness::temporary_folder folder(failing::fast_folder());
  harness::make_zeroed(folder / "origin", disk_bytes);
  harness::make_zeroed(folder / "metadata", 1 << 20);
  served_model model(disk_bytes, block_bytes);
  tally seen;
  unsigned sound = 0;
  for (unsigned round = 1; round <= rounds; ++round) {
    INFO("round " << round);
    kill_once(folder.path(), model, round, seen);
    note_metadata(folder / "metadata", seen);
    const std::string wrong = joined(model.differences(folder / "origin", folder / "metadata"));
    CHECK(wrong == "");
    sound += wrong.empty() ? 1 : 0;
  }
  harness::print_table(
      {{"kills", "sound", "era open", "snapshot held", "answered", "not answered", "but written",
        "blocks"},
       {std::to_string(rounds), std::to_string(sound), std::to_string(seen.open_eras),
        std::to_string(seen.snapshots), std::to_string(seen.answered),
        std::to_string(seen.unanswered), std::to_string(model.interrupted_but_written()),
        std::to_string(model.blocks_written()) + " of " + std::to_string(model.nr_blocks())}});
  CHECK(seen.unanswered > 0);
  CHECK(seen.open_eras > 0);
}
