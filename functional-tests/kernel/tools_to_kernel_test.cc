// What era_restore and era_repair write, a real kernel takes for its own: it opens the metadata,
// digests its writesets, adds new eras, and no last-written era is lost.
#include <algorithm>
#include <cstdint>
#include <list>
#include <map>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include "../catch.h"
#include "../dump_parser.h"
#include "../fixtures.h"
#include "../harness.h"
#include "../metadata_bytes.h"
#include "../problem_recipes.h"
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

// Metadata that schedules start from, as many as one guest takes in each batch.
class restored {
 public:
  // Throw if there is none to be had.
  void add(const std::string& name, const std::string& xml, std::uint64_t metadata_bytes) {
    const auto path = folder_ / name;
    fixtures::restore(xml, path, metadata_bytes);
    add_metadata(name, path, xml);
  }
  void add_repaired(const std::string& name, const std::string& damaged,
                    const std::vector<std::string>& options) {
    const auto input = folder_ / (name + ".damaged");
    const auto path = folder_ / name;
    harness::write_file(input, damaged);
    harness::make_zeroed(path, damaged.size() + room_for_the_kernel);
    auto arguments = options;
    arguments.insert(arguments.end(), {"-i", input, "-o", path});
    const auto done = fixtures::call("era_repair", arguments);
    if (done.status != 0) {
      throw std::runtime_error(name + ": " + done.err);
    }
    add_metadata(name, path, fixtures::dump(path));
  }

  std::size_t size() const { return place_.size(); }

  // Runs all of them, and looks at what they have left.
  void run() {
    for (auto& batch : batches_) {
      REQUIRE(batch.run() == none);
    }
    for (const auto& [name, batch] : place_) {
      INFO(name);
      CHECK(undigested(batch->metadata(name)) == 1);
    }
  }

 private:
  static constexpr std::size_t most = 20;  // a guest has no more disks
  static constexpr std::uint64_t room_for_the_kernel = 4 << 20;

  void add_metadata(const std::string& name, const std::string& path, const std::string& xml) {
    if (place_.size() % most == 0) {
      batches_.emplace_back();
    }
    const auto dump = harness::parse_dump(xml);
    batches_.back().add(kernel::life_after(name, dump.block_size, dump.nr_blocks), path,
                        truth_of(xml));
    place_[name] = &batches_.back();
  }

  // After settling only the era that ended with the device is left in the tree.
  static std::size_t undigested(const std::string& metadata) {
    return harness::parse_dump(fixtures::dump(metadata)).writesets.size();
  }

  harness::temporary_folder folder_;
  std::list<kernel::batch> batches_;
  std::map<std::string, kernel::batch*> place_;
};

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
  restored.add("example", fixtures::example().xml(), 1 << 20);
  restored.add("many_writesets", many_writesets().xml(), 4 << 20);
  restored.add("other_lengths", writesets_of_other_lengths().xml(), 1 << 20);
  restored.add("large_eras", eras_near_the_end_of_the_counter().xml(), 1 << 20);
  // Of 22 blocks on the kernel can work with this; the restored metadata takes 13.
  restored.add("nearly_full", crowded().xml(), 24 * block_bytes);
  restored.run();
}

TEST_CASE("a real kernel goes on with restored dumps of what another made") {
  if (!kernel::available()) {
    return;
  }
  restored restored;
  for (const auto& image : harness::some_images()) {
    // Restoring two million elements and looking at them over and over takes too long.
    if (image.live.nr_blocks > 1000000) {
      continue;
    }
    const harness::temporary_folder folder;
    image.unpack(folder / "image");
    auto name = image.name;
    std::replace(name.begin(), name.end(), '/', '_');
    restored.add(name, fixtures::dump(folder / "image"), image.metadata_bytes);
  }
  restored.run();
}

TEST_CASE("a real kernel goes on with metadata that was repaired") {
  if (!kernel::available()) {
    return;
  }
  restored repaired;
  for (const auto& image : harness::some_images()) {
    if (image.live.nr_blocks == 0 || image.live.nr_blocks > 100000) {
      continue;
    }
    auto name = image.name;
    std::replace(name.begin(), name.end(), '/', '_');
    const harness::metadata_bytes sound(image);
    auto torn = sound;
    const auto array = sound.get64(0, harness::superblock::era_array);
    torn.damage(sound.array_blocks(array).begin()->second, 2000, 1);
    torn.damage(sound.get64(0, harness::superblock::writeset_tree), 3000, 1);
    torn.damage(sound.get64(0, harness::superblock::map_index), 50, 1);
    repaired.add_repaired(name + "_torn", torn.bytes(), {});
    auto headless = sound.bytes();
    headless.replace(0, block_bytes, block_bytes, '\0');
    repaired.add_repaired(name + "_headless", headless,
                          {"--data-block-size", std::to_string(image.block_size)});
  }
  CHECK(repaired.size() > 10);
  repaired.run();
}

TEST_CASE("a real kernel goes on with the repair of every problem") {
  if (!kernel::available()) {
    return;
  }
  // Another target's metadata, a version that nobody knows, and a device without blocks.
  const std::set<std::string> left_out = {"superblock-magic", "superblock-version",
                                          "map-hints-never-resumed"};
  restored repaired;
  const std::size_t step = harness::at_length() ? 1 : 3;
  std::size_t large = 0;
  std::size_t possible = 0;
  for (const auto& recipe : problems::recipes()) {
    auto damaged = recipe.sound();
    // A step of the kernel's digestion is 100 blocks.
    if (damaged.get32(0, harness::superblock::nr_blocks) > 50000) {
      ++large;
    } else if (left_out.count(recipe.code) == 0 && possible++ % step == 0) {
      recipe.change(damaged);
      repaired.add_repaired(recipe.code, damaged.bytes(), recipe.repair_options);
    }
  }
  CHECK(large < 10);
  CHECK(possible == problems::recipes().size() - left_out.size() - large);
  CHECK(repaired.size() == (possible + step - 1) / step);
  repaired.run();
}

TEST_CASE("a real kernel grows and shrinks restored metadata", "[both]") {
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
