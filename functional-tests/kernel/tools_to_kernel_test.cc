// What era_restore writes, a real kernel takes for its own: it opens the metadata, digests its
// writesets, adds new eras, and no last-written era is lost.
#include <algorithm>
#include <cstdint>
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

namespace {

using fixtures::document;
using harness::truth;
using kernel::author;

const std::vector<std::string> none;

truth truth_of(const std::string& xml) {
  const auto dump = harness::parse_dump(xml);
  const kernel::state state{dump.current_era, dump.fold()};
  return state.truth({});
}

// Opens the metadata with the same length, writes, digests all there is, and goes on.
kernel::guest_schedule life_after(const std::string& name, std::uint32_t block_size,
                                  std::uint64_t nr_blocks) {
  author author(name, block_size, nr_blocks * block_size);
  const auto middle = nr_blocks / 2;
  author.status().write(0, 3).write(middle, 2).checkpoint().write(1).status().take_snapshot();
  return author.write(nr_blocks - 1).checkpoint().drop_snapshot().settle().status().finish();
}

// Restored metadata that the schedules start from. Throws if it cannot be restored.
class restored {
 public:
  void add(kernel::batch& batch, const std::string& name, const std::string& xml,
           std::uint64_t metadata_bytes) {
    const auto path = folder_ / name;
    fixtures::restore(xml, path, metadata_bytes);
    const auto dump = harness::parse_dump(xml);
    batch.add(life_after(name, dump.block_size, dump.nr_blocks), path, truth_of(xml));
    names_.push_back(name);
  }

  const std::vector<std::string>& names() const { return names_; }

 private:
  harness::temporary_folder folder_;
  std::vector<std::string> names_;
};

// After settling only the era that ended with the device is left in the tree.
std::size_t undigested(const std::string& metadata) {
  return harness::parse_dump(fixtures::dump(metadata)).writesets.size();
}

document many_writesets() {
  document wanted{64, 500, 1300, {}, {{0, 1}, {499, 999}}};
  for (std::uint32_t era = 1000; era <= 1300; ++era) {
    wanted.writesets.push_back({era, 500, {era % 500, era % 7}});
  }
  return wanted;
}

// As after growing and shrinking: shorter and longer than the device, with bits beyond its end.
document writesets_of_other_lengths() {
  return {8,
          1018,
          9,
          {{7, 300, {0, 63, 64, 299}}, {8, 2000, {1, 299, 1017, 1018, 1999}}, {9, 1018, {2}}},
          {{0, 4}, {500, 5}, {1017, 2}}};
}

document eras_near_the_end_of_the_counter() {
  return {128, 100, 4000000000, {{3999999999, 100, {1, 2}}, {4000000000, 100, {2, 3}}}, {{4, 7}}};
}

document crowded() {
  document wanted{128, 1024, 7, {}, {}};
  for (std::uint32_t block = 0; block < 1024; ++block) {
    wanted.eras[block] = block % 5;
  }
  for (const std::uint32_t era : {5, 6, 7}) {
    wanted.writesets.push_back({era, 1024, {}});
    for (std::uint32_t block = 0; block < 1024; block += era) {
      wanted.writesets.back().bits.insert(block);
    }
  }
  return wanted;
}

constexpr std::uint64_t block_bytes = fixtures::block_bytes;

}  // namespace

TEST_CASE("a real kernel goes on with metadata restored from documents written by hand") {
  if (!kernel::available()) {
    return;
  }
  restored restored;
  kernel::batch batch;
  restored.add(batch, "example", fixtures::example().xml(), 1 << 20);
  restored.add(batch, "many_writesets", many_writesets().xml(), 4 << 20);
  restored.add(batch, "other_lengths", writesets_of_other_lengths().xml(), 1 << 20);
  restored.add(batch, "large_eras", eras_near_the_end_of_the_counter().xml(), 1 << 20);
  // Of 22 blocks on the kernel can work with this; the restored metadata takes 13.
  restored.add(batch, "nearly_full", crowded().xml(), 24 * block_bytes);
  REQUIRE(batch.run() == none);
  for (const auto& name : restored.names()) {
    INFO(name);
    CHECK(undigested(batch.metadata(name)) == 1);
  }
}

TEST_CASE("a real kernel goes on with restored dumps of what another made") {
  if (!kernel::available()) {
    return;
  }
  restored restored;
  kernel::batch batch;
  for (const auto& image : harness::images()) {
    // Restoring two million elements and looking at them over and over takes too long.
    if (image.live.nr_blocks > 1000000) {
      continue;
    }
    const harness::temporary_folder folder;
    image.unpack(folder / "image");
    auto name = image.name;
    std::replace(name.begin(), name.end(), '/', '_');
    restored.add(batch, name, fixtures::dump(folder / "image"), image.metadata_bytes);
  }
  REQUIRE(batch.run() == none);
  for (const auto& name : restored.names()) {
    INFO(name);
    CHECK(undigested(batch.metadata(name)) == 1);
  }
}

TEST_CASE("a real kernel grows and shrinks restored metadata") {
  if (!kernel::available()) {
    return;
  }
  const harness::temporary_folder folder;
  kernel::batch batch;
  const auto xml = crowded().xml();
  fixtures::restore(xml, folder / "restored");
  constexpr std::uint64_t block = 128;
  author growing("growing", block, 1024 * block);
  growing.write(5)
      .settle()
      .reload(3000 * block)
      .write(2999)
      .settle()
      .create_again(4000 * block + 1);
  growing.write(4000).settle();
  batch.add(growing.finish(), folder / "restored", truth_of(xml));
  author shrinking("shrinking", block, 1000 * block);
  shrinking.write(999).checkpoint().reload(100 * block).write(99).settle().create_again();
  batch.add(shrinking.finish(), folder / "restored", truth_of(xml));
  CHECK(batch.run() == none);
}

TEST_CASE("metadata restored where a real kernel has no room to work stays as it is") {
  if (!kernel::available()) {
    return;
  }
  const harness::temporary_folder folder;
  const auto metadata = folder / "metadata";
  const auto xml = crowded().xml();
  fixtures::restore(xml, metadata, 16 * block_bytes);
  harness::make_zeroed(folder / "origin", 64 << 20);
  kernel::guest guest;
  const auto metadata_disk = guest.add_disk(metadata);
  const auto origin_disk = guest.add_disk(folder / "origin");
  const auto ended =
      guest.run("refused era_create full " + metadata_disk + ' ' + origin_disk + " 131072 128\n");
  REQUIRE(ended.err == "");
  REQUIRE(ended.status == 0);
  CHECK_THAT(ended.dmesg, Catch::Contains("unable to allocate new metadata block"));
  CHECK(kernel::metadata_troubles(metadata, 128, kernel::guest_model(128, truth_of(xml)),
                                  kernel::ending::removed) == none);
}
