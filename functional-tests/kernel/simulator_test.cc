// The simulator against the kernel: the same schedules through both come to the same, each goes on
// with what the other left, and both refuse the same in the same words.
#include <sstream>
#include <string>
#include <vector>

#include "../catch.h"
#include "../dump_parser.h"
#include "../fixtures.h"
#include "../harness.h"
#include "batch.h"
#include "guest.h"
#include "guest_model.h"
#include "guest_schedule.h"
#include "judge.h"
#include "refusals.h"
#include "simulation.h"

namespace {

using kernel::author;
using kernel::guest_schedule;

const std::vector<std::string> none;

// A status line without what depends on how far digestion has got: the metadata blocks in use, and
// where the snapshot is held. `0 LENGTH era 8 USED/TOTAL ERA -`
std::string comparable(const std::string& status) {
  std::istringstream words(status);
  std::string kept;
  unsigned at = 0;
  for (std::string word; words >> word; ++at) {
    kept += at == 4 ? "" : at == 6 && word != "-" ? "held" : word + ' ';
  }
  return kept;
}

std::vector<std::string> comparable(std::vector<std::string> statuses) {
  for (auto& status : statuses) {
    status = comparable(status);
  }
  return statuses;
}

std::vector<guest_schedule> random_schedules(std::uint64_t first, std::uint64_t count) {
  std::vector<guest_schedule> all;
  for (std::uint64_t seed = first; seed < first + count; ++seed) {
    all.push_back(kernel::random_schedule(seed));
  }
  return all;
}

// What a schedule must leave.
kernel::guest_model model_after(const guest_schedule& wanted) {
  kernel::guest_model model(wanted.block_size);
  for (const auto& session : wanted.sessions) {
    model.run(session);
  }
  return model;
}

// The last-written eras, but for blocks that were cut off and brought back: what these show depends
// on how far digestion had got.
std::vector<std::uint32_t> certain_eras(const std::string& metadata,
                                        const kernel::guest_model& model) {
  auto eras = harness::parse_dump(fixtures::dump(metadata, {"--logical"})).era_array;
  for (const auto& [block, era] : model.live().may_return) {
    eras.at(block) = 0;
  }
  return eras;
}

// What a kernel is to do with metadata of the simulator's.
guest_schedule life_after(const guest_schedule& before, bool snapshot_held) {
  const auto length = before.sessions.back().length;
  author author(before.name, before.block_size, length);
  const auto last = (length - 1) / before.block_size;
  author.status().write(0, 3).checkpoint().write(last);
  if (snapshot_held) {
    author.refused("take_metadata_snap").drop_snapshot();
  }
  return author.take_snapshot().write(0).checkpoint().drop_snapshot().settle().status().finish();
}

std::vector<guest_schedule> schedules_for_the_kernel() {
  auto all = random_schedules(40, 6);
  author held("held", 64, 2000 * 64);
  held.write(1, 100).take_snapshot().write(50, 100).checkpoint().write(7);
  all.push_back(held.finish());
  author cut("cut", 24, 5000 * 24 + 5);
  for (std::uint64_t i = 0; i < 5; ++i) {
    cut.write(i * 300, 400).checkpoint();
  }
  all.push_back(cut.take_snapshot().write(4000, 1001).cut_power().finish());
  author shrunk("shrunk", 8, 4096 * 8);
  shrunk.write(0, 4096).checkpoint().write(4000, 90).reload(4072 * 8).write(1).reload(1018 * 8);
  all.push_back(shrunk.settle().finish());
  author eras("eras", 8, 300 * 8);
  for (std::uint64_t i = 0; i < 250; ++i) {
    eras.write(i, 3).checkpoint();
  }
  all.push_back(eras.metadata_bytes(4 << 20).finish());
  return all;
}

// Runs a script in the simulator, with the devices of the lists of refusals, and returns its
// output.
std::string simulate(const std::string& script) {
  const harness::temporary_folder folder;
  harness::run_options options;
  options.folder = folder.path();
  options.input =
      "device metadata 2048\ndevice origin 131072\ndevice formatted 2048\n"
      "create 0 131072 era formatted origin 128\nremove\n" +
      script;
  const auto ended = harness::run({harness::tool("era_simulate")}, options);
  CHECK(ended.err == "");
  CHECK(ended.status == 0);
  return ended.out;
}

}  // namespace

TEST_CASE("the simulator and a real kernel come to the same by the same schedules") {
  if (!kernel::available()) {
    return;
  }
  kernel::batch batch;
  const auto schedules = random_schedules(harness::at_length() ? 20 : 6, 8);
  for (const auto& wanted : schedules) {
    batch.add(wanted);
  }
  REQUIRE(batch.run() == none);
  for (const auto& wanted : schedules) {
    INFO(wanted.name);
    kernel::simulation simulation(wanted);
    for (std::size_t i = 0; i < wanted.sessions.size(); ++i) {
      REQUIRE(simulation.run_session() == "");
    }
    CHECK(comparable(simulation.statuses()) == comparable(batch.statuses(wanted.name)));
    const auto model = model_after(wanted);
    CHECK(certain_eras(simulation.metadata(), model) ==
          certain_eras(batch.metadata(wanted.name), model));
    CHECK(kernel::metadata_troubles(simulation.metadata(), wanted.block_size, model,
                                    wanted.sessions.back().end) == none);
  }
}

TEST_CASE("a real kernel goes on with metadata that the simulator left") {
  if (!kernel::available()) {
    return;
  }
  kernel::batch batch;
  for (const auto& wanted : schedules_for_the_kernel()) {
    INFO(wanted.name);
    kernel::simulation simulation(wanted);
    for (std::size_t i = 0; i < wanted.sessions.size(); ++i) {
      REQUIRE(simulation.run_session() == "");
    }
    const auto model = model_after(wanted);
    batch.add(life_after(wanted, model.snapshot().has_value()), simulation.metadata(), model);
  }
  CHECK(batch.run() == none);
}

TEST_CASE("the simulator refuses table lines in the words of a real kernel") {
  for (const auto& refused : kernel::refused_tables) {
    // Those with a bad field are not made here, and their last text is one for all.
    const std::string arguments = refused.arguments;
    if (arguments.rfind("bad_", 0) == 0) {
      continue;
    }
    INFO(arguments);
    const auto said = simulate("! create 0 131072 era " + arguments + '\n');
    for (const auto* text : refused.texts) {
      CHECK_THAT(said, Catch::Contains(text == nullptr ? "" : text));
    }
  }
}

TEST_CASE("the simulator answers messages in the words of a real kernel") {
  std::string script = "create 0 131072 era metadata origin 128\n";
  std::vector<std::string> expected;
  unsigned era = 1;
  for (const auto& sent : kernel::sent_messages) {
    const bool refused = *sent.error != '\0';
    script += std::string(refused ? "! " : "") + "message " + sent.message + "\nstatus\n";
    if (refused) {
      expected.emplace_back(sent.error);
    }
    expected.push_back(std::to_string(era += sent.eras));
  }
  std::vector<std::string> said;
  for (const auto& line : kernel::lines_of(simulate(script))) {
    std::istringstream words(line);
    std::string word;
    const bool status = line.rfind("0 ", 0) == 0;
    for (int i = 0; status && i < 6; ++i) {
      words >> word;
    }
    said.push_back(status ? word : line.substr(0, line.find(": ")));  // without our reason
  }
  CHECK(said == expected);
}
