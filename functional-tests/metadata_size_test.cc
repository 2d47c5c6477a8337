// era_metadata_size: its answers against era_restore and era_simulate, which must run out of room
// below them and not above, and how full metadata is said to be.
#include <nlohmann/json.hpp>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "simulating.h"

namespace {

using Catch::Contains;
using fixtures::call;
using nlohmann::json;

json answer(std::vector<std::string> arguments) {
  arguments.insert(arguments.end(), {"--format", "json"});
  const auto got = call("era_metadata_size", arguments);
  REQUIRE(got.err == "");
  REQUIRE(got.status == 0);
  return json::parse(got.out);
}

json only_size(const std::vector<std::string>& arguments) {
  const json all = answer(arguments).at("sizes");
  REQUIRE(all.size() == 1);
  return all.at(0);
}

struct shape {
  std::uint64_t nr_blocks;
  std::uint64_t writesets;
  bool snapshot;
};

json sizes_of(const shape& of) {
  std::vector<std::string> arguments = {"--device-size", std::to_string(of.nr_blocks * 64) + "k",
                                        "--block-size",  "64k",
                                        "--writesets",   std::to_string(of.writesets)};
  if (of.snapshot) {
    arguments.emplace_back("--snapshot");
  }
  return only_size(arguments);
}

// Every block is written in every era; the eras are archived, held by a snapshot if there is one,
// and digested all at once, three times over.
std::string worst_script(const shape& of, std::uint64_t metadata_blocks) {
  const std::string sectors = std::to_string(of.nr_blocks * 128);
  const std::string write_all = "write 0 " + sectors + "\n";
  std::string script = "device metadata " + std::to_string(metadata_blocks * 8) +
                       "\ndevice origin " + sectors + "\ncreate 0 " + sectors +
                       " era metadata origin 128\n";
  for (int round = 0; round < 3; ++round) {
    for (std::uint64_t i = 1; i < of.writesets; ++i) {
      script += write_all + "message checkpoint\n";
    }
    script += write_all;
    script += of.snapshot && round == 0 ? "message take_metadata_snap\n" : "message checkpoint\n";
    script += "step 1000000\n" + write_all + "step 1000000\nmessage checkpoint\nstep 1000000\n";
  }
  return script;
}

bool simulates(const shape& of, std::uint64_t metadata_blocks) {
  const harness::temporary_folder folder;
  harness::run_options how;
  how.folder = folder.path();
  how.input = worst_script(of, metadata_blocks);
  const auto got = call("era_simulate", {}, how);
  if (got.status != 0) {
    CHECK_THAT(got.err, Contains("no metadata block is free"));
  }
  return got.status == 0;
}

}  // namespace

TEST_CASE("recommended metadata never runs out, and 5 % less than what is needed does", "[slow]") {
  for (const shape& of : {shape{1000, 1, false}, shape{1000, 16, true}, shape{3000, 4, false},
                          shape{harness::at_length() ? 40000U : 12000U, 3, true}}) {
    INFO(of.nr_blocks << " blocks, " << of.writesets << " writesets, snapshot " << of.snapshot);
    const json sizes = sizes_of(of);
    CHECK(simulates(of, sizes.at("recommended").at("blocks")));
    const std::uint64_t needed = sizes.at("in_use").at("blocks");
    CHECK(simulates(of, needed));
    CHECK_FALSE(simulates(of, needed * 95 / 100));
  }
}

TEST_CASE("era_restore needs exactly what era_metadata_size says") {
  const harness::temporary_folder folder;
  for (const std::uint64_t blocks : {1U, 1018U, 1019U, 40000U}) {
    fixtures::document wanted;
    wanted.nr_blocks = static_cast<std::uint32_t>(blocks);
    wanted.current_era = 4;
    for (std::uint32_t era = 1; era <= 3; ++era) {
      wanted.writesets.push_back({era, wanted.nr_blocks, {0}});
    }
    harness::write_file(folder / "xml", wanted.compact_xml());
    const std::uint64_t bytes = sizes_of({blocks, 3, false}).at("to_restore").at("bytes");
    for (const bool is_enough : {true, false}) {
      harness::make_zeroed(folder / "device", bytes - (is_enough ? 0 : 1));
      const auto got = call("era_restore", {"-i", folder / "xml", "-o", folder / "device"});
      CHECK(got.status == (is_enough ? 0 : 1));
      CHECK(got.err == (is_enough ? "" : got.err));
    }
  }
}

TEST_CASE("era_metadata_size has a table of block sizes, of those that can be had") {
  const auto got = call("era_metadata_size", {"--device-size", "1T"});
  CHECK(got.status == 0);
  CHECK(got.err == "");
  CHECK_THAT(got.out,
             Contains("Metadata of a device of 1T with room for 16 undigested writesets") &&
                 Contains("block size") && Contains("16777216"));
  const json table = answer({"--device-size", "1T"}).at("sizes");
  REQUIRE(table.size() == 11);
  CHECK(table.at(0).at("block_size") == 4096);
  CHECK(table.at(4).at("block_size") == 65536);
  CHECK(table.at(4) == only_size({"--device-size", "1024G", "--block-size", "128s"}));
  // 4k blocks of 16 TiB are too many to be counted, and 8k ones still need too much metadata.
  CHECK(answer({"--device-size", "16T"}).at("sizes").at(0).at("block_size") > 4096);
}

TEST_CASE("era_metadata_size takes the size of a device") {
  const harness::temporary_folder folder;
  harness::make_zeroed(folder / "device", (1 << 20) + 700);
  CHECK(answer({"--device", folder / "device"}).at("device_size") == (1 << 20) + 512);
  harness::make_zeroed(folder / "empty", 0);
  CHECK_THAT(call("era_metadata_size", {"--device", folder / "empty"}).err,
             Contains(folder / "empty: has not even one sector"));
}

TEST_CASE("era_metadata_size says how full metadata is, and what it has room for") {
  const simulating::place place;
  const shape of{1000, 5, true};
  const std::uint64_t blocks = sizes_of(of).at("in_use").at("blocks");
  place.script("device metadata " + std::to_string(8 * blocks) +
               "\ndevice origin 128000\ncreate 0 128000 era metadata origin 128\nwrite 0 128000\n"
               "message checkpoint\nwrite 0 8\nmessage checkpoint\nstatus\nremove\n");
  const json use = answer({"--used", place / "metadata", "--snapshot", "--writesets", "5"});
  CHECK(use.at("total_blocks") == blocks);
  CHECK(use.at("current_era") == 3);
  CHECK(use.at("archived_writesets") == 3);
  CHECK(use.at("snapshot") == false);
  CHECK(use.at("block_size") == 65536);
  CHECK(use.at("nr_blocks") == 1000);
  CHECK(use.at("most_writesets").at("with_snapshot") == 5);
  CHECK(use.at("most_writesets").at("without_snapshot") > 5);
  CHECK(use.at("large_enough") == true);
  CHECK(
      answer({"--used", place / "metadata", "--snapshot", "--writesets", "6"}).at("large_enough") ==
      false);
  // As era_check counts them.
  const auto checked = json::parse(call("era_check", {"--format", "json", place / "metadata"}).out);
  CHECK(use.at("used_blocks") == checked.at("metadata_blocks_used"));
  const auto text = call("era_metadata_size", {"--used", place / "metadata"});
  CHECK_THAT(text.out, Contains(std::to_string(blocks) + " metadata blocks in use") &&
                           Contains("3 writesets to be digested, no metadata snapshot") &&
                           Contains("for 16 undigested writesets: too small"));
}

TEST_CASE("calls of era_metadata_size that cannot be meant are refused") {
  const fixtures::bench bench;
  const std::pair<std::vector<std::string>, std::string> calls[] = {
      {{}, "Please give --device-size"},
      {{"--device-size", "1T", "--used", bench.metadata}, "exclude each other"},
      {{"--device-size", "1T", "--device", bench.device}, "exclude each other"},
      {{"--used", bench.metadata, "--block-size", "64k"}, "exclude each other"},
      {{"--device-size", "1T", "--metadata-snapshot"}, "goes with --used METADATA only"},
      {{"--device-size", "1T", "--block-size", "6k"}, "not a multiple of 4k"},
      {{"--device-size", "1T", "--block-size", "4T"}, "not a multiple of 4k below 2T"},
      {{"--device-size", "1.5T"}, "'1.5T' is not a size"},
      {{"--device-size", "0"}, "not a positive multiple of a sector"},
      {{"--device-size", "16T", "--block-size", "4k"}, "dm-era can count 2147483647"},
      {{"--device-size", "7T", "--block-size", "4k", "--writesets", "400"},
       "Take larger blocks, or fewer writesets."},
      {{"--device-size", "8388607T"}, "data blocks of 4M, and dm-era can count 2147483647"},
      {{"--device-size", "9000000T"}, "not a size below 2^63"},
      {{"--device-size", "1T", "--writesets", "-1"}, "'-1'"},
      {{"--device", bench / "none"}, "none: No such file or directory"},
      {{"--used", bench.xml}, "This looks like XML"},
      {{"--used", bench.device}, "bad checksum in superblock"},
      {{"1T"}, "unexpected argument '1T'"},
  };
  for (const auto& [arguments, fact] : calls) {
    const auto got = call("era_metadata_size", arguments);
    INFO(got.err);
    CHECK(got.status == 1);
    CHECK(got.out == "");
    CHECK_THAT(got.err, Contains(fact));
  }
}
