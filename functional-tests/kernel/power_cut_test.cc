// The power is cut while writes and checkpoints are going on: whatever had reached the origin must
// be in the metadata, and everything from before untouched.
#include <algorithm>
#include <cstdint>
#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../catch.h"
#include "../dump_parser.h"
#include "../harness.h"
#include "guest.h"
#include "guest_model.h"
#include "guest_schedule.h"
#include "guest_script.h"

namespace {

using kernel::author;

constexpr std::uint32_t block_size = 8;
constexpr std::uint64_t nr_blocks = 100000;
// From here on the writers write, block by block, more than they can do before the cut.
constexpr std::uint64_t first_in_flight = 1000;

// What is through before the cut.
kernel::guest_schedule done_before(const std::string& name) {
  author author(name, block_size, nr_blocks * block_size);
  author.metadata_bytes(8 << 20).write(0, 50).checkpoint().write(20, 50);
  author.write_zeroes(first_in_flight, 20000).checkpoint().write(40, 50).checkpoint();
  return author.cut_power().finish();
}

// Fills one device from `first_in_flight` on with bytes 255, in the background.
std::string writer(const std::string& name, const std::string& how) {
  return R"(tr '\0' '\377' </dev/zero | gnu-dd of=/dev/mapper/)" + name +
         " bs=4k iflag=fullblock conv=notrunc status=none " + how + " &\n";
}

// Waits until so much more was written to a disk (/dev/vdb) that the cut falls amid the writes.
std::string wait_for_writes(const std::string& disk) {
  const auto sectors =
      "$(awk '{ print $7 }' /sys/block/" + disk.substr(disk.rfind('/') + 1) + "/stat)";
  return "begin=" + sectors + "\nwhile [ $((" + sectors + " - begin)) -lt " +
         std::to_string(100 * block_size) + " ]; do usleep 10000; done\n";
}

// The blocks of an origin that a writer has written.
std::vector<bool> written_blocks(const std::string& origin) {
  std::ifstream file(origin, std::ios::binary);
  std::vector<bool> written;
  for (std::string block(std::size_t{block_size} * 512, '\0');
       file.read(block.data(), static_cast<std::streamsize>(block.size()));) {
    written.push_back(block.find('\377') != std::string::npos);
  }
  return written;
}

struct subject {
  std::string name;
  std::string how;  // flags for the writer's dd
  const harness::temporary_folder& folder;

  std::string metadata() const { return folder / name; }
  std::string origin() const { return folder / (name + ".origin"); }
};

void judge(const subject& subject) {
  INFO(subject.name);
  kernel::guest_model model(block_size);
  model.run(done_before(subject.name).sessions.at(0));
  const auto& before = model.live();

  const auto checked = harness::run({harness::tool("era_check"), subject.metadata()});
  CHECK(checked.status == 0);
  CHECK(checked.err == "");
  const auto dump = harness::parse_dump(
      harness::run({harness::tool("era_dump"), "--logical", subject.metadata()}).out);
  REQUIRE(dump.nr_blocks == nr_blocks);
  CHECK(dump.current_era >= before.current_era);

  const auto written = written_blocks(subject.origin());
  REQUIRE(written.size() == nr_blocks);
  std::uint64_t lost = 0;
  std::uint64_t wrong = 0;
  for (std::uint64_t block = 0; block < nr_blocks; ++block) {
    const auto era = dump.era_array[block];
    const bool marked = block >= first_in_flight && era >= before.current_era;
    lost += written[block] && !marked ? 1 : 0;
    wrong += (era != before.eras[block] && !marked) || era > dump.current_era ? 1 : 0;
  }
  CHECK(lost == 0);
  CHECK(wrong == 0);
  // Or the cut did not come in the middle.
  CHECK(std::count(written.begin(), written.end(), true) > 20);
  CHECK_FALSE(written.back());
}

}  // namespace

TEST_CASE("a power cut amid writes loses no mark of a block that was written") {
  if (!kernel::available()) {
    return;
  }
  const harness::temporary_folder folder;
  const auto from = std::to_string(first_in_flight * block_size * 512);
  const std::vector<subject> subjects = {
      {"direct", "oflag=direct,seek_bytes seek=" + from, folder},
      {"buffered", "oflag=seek_bytes seek=" + from, folder},
      {"sync", "oflag=direct,sync,seek_bytes seek=" + from, folder},
  };
  kernel::guest guest;
  // Else what is written through the page cache stays there for long.
  std::string script = "echo 1048576 >/proc/sys/vm/dirty_bytes\n";
  std::string writers;
  std::string waiting;
  for (const auto& subject : subjects) {
    const auto schedule = done_before(subject.name);
    harness::make_zeroed(subject.metadata(), schedule.metadata_bytes);
    harness::make_zeroed(subject.origin(), nr_blocks * block_size * 512);
    const kernel::device_names names = {guest.add_disk(subject.metadata()),
                                        guest.add_disk(subject.origin())};
    script += kernel::guest_script(schedule, 0, names);
    writers += writer(subject.name, subject.how);
    waiting += wait_for_writes(names.origin);
  }
  // Checkpoints among the writes, so that digestion and new eras are cut as well.
  const auto ended =
      guest.run_and_cut(script + writers + waiting +
                        "for i in 1 2 3 4; do\ndm_message sync checkpoint\nusleep 20000\ndone\n");
  REQUIRE(ended.err == "");
  REQUIRE(ended.status == 0);
  CHECK(kernel::complaints(ended.dmesg) == std::vector<std::string>());
  for (const auto& subject : subjects) {
    judge(subject);
  }
}
