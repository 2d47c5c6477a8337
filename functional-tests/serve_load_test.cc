// Clients that write all at once to a served disk: the disk holds what they wrote, and the metadata
// says of each block an era in which it was written.
#include <chrono>
#include <filesystem>
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
constexpr std::uint64_t disk_bytes = (40 << 20) + 5 * 512;  // the last block is a part

void check_nothing(const std::vector<std::string>& problems) {
  for (const std::string& problem : problems) {
    FAIL_CHECK(problem);
  }
}

void add_row(std::vector<std::vector<std::string>>& table, unsigned seed, const random_load& load,
             const served_model& model) {
  std::vector<std::string> row = {std::to_string(seed)};
  for (const char* name : {"write", "zero", "trim", "read", "flush", "message", "list"}) {
    const auto found = load.answered().find(name);
    row.push_back(found == load.answered().end() ? "0" : std::to_string(found->second));
    CHECK(row.back() != "0");
  }
  row.push_back(std::to_string(load.era()));
  row.push_back(std::to_string(model.blocks_written()) + " of " +
                std::to_string(model.nr_blocks()));
  table.push_back(row);
}

}  // namespace

TEST_CASE("clients that write at once to a served disk have all of it recorded", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  std::vector<std::vector<std::string>> table = {{"seed", "writes", "zeros", "trims", "reads",
                                                  "flushes", "messages", "lists", "eras",
                                                  "blocks"}};
  for (const unsigned seed : {1, 2, 3, 4}) {
    INFO("seed " << seed);
    // Where a flush takes its time, many writes share a commit; elsewhere there are more of both.
    const harness::temporary_folder folder(
        seed % 2 == 0 ? std::filesystem::temp_directory_path().string() : failing::fast_folder());
    harness::make_zeroed(folder / "origin", disk_bytes);
    served_model model(disk_bytes, block_bytes);
    nbdkit_server server(folder.path(), {"metadata=metadata", "origin=origin", "control=control",
                                         "block-size=32k", "metadata-size=1M"});
    random_load load(server, model, seed);
    std::this_thread::sleep_for(std::chrono::seconds(harness::at_length() ? 20 : 1));
    load.stop();
    check_nothing(load.problems());
    CHECK(server.stop() == 0);
    CHECK(server.said() == "");
    // The era has ended: its writeset is archived.
    const harness::metadata_bytes metadata(harness::read_file(folder / "metadata"));
    CHECK(metadata.get64(0, harness::superblock::current_root) == 0);
    const auto archived = metadata.writesets(harness::writeset_tree(metadata));
    CHECK((!archived.empty() && archived.back().era == load.era()));
    check_nothing(model.differences(folder / "origin", folder / "metadata"));
    add_row(table, seed, load, model);
  }
  harness::print_table(table);
}
