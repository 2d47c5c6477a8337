// The exports of a served disk that show what was written, in the hands of those who copy: a base
// copy, changes, only the list copied, and the copy equals the disk.
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "served_disk.h"

namespace {

using serving::data_of;
using serving::listed;
using serving::nbd_client;
using serving::served_disk;
using serving::spans;

std::string out_of(const serving::words& command) {
  const auto got = harness::run(command);
  INFO(command[0] << ": " << got.out << got.err);
  REQUIRE(got.status == 0);
  return got.out;
}

// As data, holes and zeros of all kinds; the last block is among them.
void change(served_disk& disk) {
  disk.write_blocks({3, 4, 40, served_disk::nr_blocks - 1});
  constexpr std::uint64_t block = served_disk::block_bytes;
  nbd_client client(disk.server().socket());
  client.zero(50 * block, block);
  client.zero(60 * block + 17, 2 * block, LIBNBD_CMD_FLAG_NO_HOLE);
  client.trim(70 * block, 3 * block);
  client.write(80 * block, std::string(block, '\0'), LIBNBD_CMD_FLAG_FUA);
}

void fill(served_disk& disk) {
  nbd_client client(disk.server().socket());
  std::string text;
  while (text.size() < served_disk::bytes) {
    text += "base " + std::to_string(text.size()) + "\n";
  }
  client.write(0, text.substr(0, served_disk::bytes));
}

// Copies an export onto what a file holds.
void copy_delta(const served_disk& disk, const std::string& uri, const std::string& onto) {
  out_of({"nbdcopy", "--destination-is-zero", "--sparse=0", uri, "--", "[", "nbdkit",
          "--exit-with-parent", "file", disk / onto, "]"});
}

spans data_of_json(const std::string& text, const char* begin, const char* length,
                   const std::function<bool(const nlohmann::json&)>& is_data) {
  spans found;
  for (const auto& one : nlohmann::json::parse(text)) {
    const std::uint64_t at = one.at(begin);
    const std::uint64_t end = at + one.at(length).get<std::uint64_t>();
    if (!is_data(one)) {
      continue;
    }
    if (!found.empty() && found.back().second == at) {
      found.back().second = end;
    } else {
      found.emplace_back(at, end);
    }
  }
  return found;
}

}  // namespace

TEST_CASE("what a served disk says was written makes a copy of the base equal to it", "[plugin]") {
  if (!serving::can_serve() || !fixtures::has_programs({"nbdcopy"})) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  fill(disk);
  out_of({"nbdcopy", server.uri(), disk / "copy"});
  const std::string base = harness::read_file(disk / "copy");
  CHECK(fixtures::has_bytes(disk / "origin", base));
  harness::write_file(disk / "offline", base);
  harness::write_file(disk / "unlike", std::string(base.size(), 'u'));
  const std::string since = std::to_string(disk.checkpoint());
  change(disk);

  copy_delta(disk, server.uri("since=" + since), "copy");
  copy_delta(disk, server.uri("since=" + since), "unlike");
  disk.stop();
  out_of({harness::tool("era_copy"), "--written-since", since, disk / "metadata", disk / "origin",
          disk / "offline"});
  CHECK_FALSE(fixtures::has_bytes(disk / "origin", base));
  CHECK(fixtures::has_bytes(disk / "copy", disk.contents()));
  CHECK(fixtures::has_bytes(disk / "offline", disk.contents()));
  // nbdcopy reads whole requests, which begin and end elsewhere.
  CHECK(harness::read_file(disk / "unlike").substr(1 << 20, 256 << 10) ==
        std::string(256 << 10, 'u'));
}

TEST_CASE("other programs see the same list of a served disk as era_invalidate", "[plugin]") {
  if (!serving::can_serve() || !fixtures::has_programs({"nbdinfo", "qemu-img"})) {
    return;
  }
  served_disk disk;
  const std::string uri = disk.serve().uri("since=2");
  disk.write_blocks({7});
  disk.checkpoint();
  change(disk);
  const spans by_nbdinfo =
      data_of_json(out_of({"nbdinfo", "--map", "--json", uri}), "offset", "length",
                   [](const nlohmann::json& one) { return one.at("type") == 0; });
  const spans by_qemu =
      data_of_json(out_of({"qemu-img", "map", "-f", "raw", "--output", "json", uri}), "start",
                   "length", [](const nlohmann::json& one) { return one.at("data") == true; });
  const auto info = nlohmann::json::parse(out_of({"nbdinfo", "--json", uri})).at("exports").at(0);
  disk.stop();
  const spans expected = listed(disk, {"--written-since", "2"});
  CHECK(expected.size() == 7);
  CHECK(expected.back().second == served_disk::bytes);
  CHECK(by_nbdinfo == expected);
  CHECK(by_qemu == expected);
  // Each, with nobody there when it came, has begun an era; newer programs connect more than once.
  const auto description = info.at("description").get<std::string>();
  const std::string start = "12 blocks, 363008 bytes, next since=";
  CHECK(description.substr(0, start.size()) == start);
  CHECK(std::stoul(description.substr(start.size())) >= 5);
  CHECK(info.at("is_read_only") == true);
  CHECK(info.at("export-size") == served_disk::bytes);
}

TEST_CASE("every export of a served disk is the list of its eras", "[plugin]") {
  if (!serving::can_serve()) {
    return;
  }
  served_disk disk;
  disk.serve();
  for (const std::uint64_t first : {0, 30, 10, 90, 25}) {
    disk.write_blocks({first, first + 5, served_disk::nr_blocks - 1 - first});
    disk.checkpoint();
  }
  const std::uint32_t last = disk.era();
  std::vector<spans> since;
  std::vector<spans> in_era;
  for (std::uint32_t era = 0; era <= last; ++era) {
    since.push_back(data_of(disk, "since=" + std::to_string(era)));
    in_era.push_back(data_of(disk, "era=" + std::to_string(era)));
  }
  disk.stop();
  for (std::uint32_t era = 0; era <= last; ++era) {
    INFO("era " << era);
    const std::string begin = std::to_string(era);
    CHECK(since[era] == listed(disk, {"--written-since", begin}));
    CHECK(in_era[era] ==
          listed(disk, {"--written-since", begin, "--written-before", std::to_string(era + 1)}));
  }
  CHECK(in_era[2] != in_era[3]);
  CHECK(since[0] == spans{{0, served_disk::bytes}});
}

TEST_CASE("each copy of a served disk begins where the one before has asked from", "[plugin]") {
  if (!serving::can_serve() || !fixtures::has_programs({"nbdcopy", "nbdinfo"})) {
    return;
  }
  served_disk disk;
  auto& server = disk.serve();
  harness::make_zeroed(disk / "copy", served_disk::bytes);
  std::string since = "0";
  for (const std::uint64_t round : {1, 2, 3, 4}) {
    disk.write_blocks({round, 10 * round, 10 * round + 1});
    const std::string uri = server.uri("since=" + since);
    const std::string description = nlohmann::json::parse(out_of({"nbdinfo", "--json", uri}))
                                        .at("exports")
                                        .at(0)
                                        .at("description");
    copy_delta(disk, uri, "copy");
    since = description.substr(description.find("since=") + 6);
    CHECK(fixtures::has_bytes(disk / "copy", disk.contents()));
    // What was copied is not listed again.
    CHECK(data_of(disk, "since=" + since).empty());
  }
  disk.stop();
}
