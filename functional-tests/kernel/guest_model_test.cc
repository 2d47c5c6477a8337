// The plain model against what a kernel is known to have made: the logs of the recorded images. If
// it is wrong, all that is held against it is wrong. Needs no guest.
#include "guest_model.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "../catch.h"
#include "../harness.h"
#include "guest_schedule.h"

namespace {

using kernel::action;
using kernel::operation;
using nlohmann::json;

// "0 131072 era ..."
std::uint64_t length_in(const std::string& table) {
  std::istringstream words(table);
  std::uint64_t begin = 0;
  std::uint64_t length = 0;
  words >> begin >> length;
  return length;
}

action action_named(const std::string& name) {
  static const std::vector<std::pair<std::string, action>> names = {
      {"write", action::write},
      {"write_sync", action::write_sync},
      {"write_buffered", action::write_buffered},
      {"write_sectors", action::write},
      {"write_zeroes", action::write_zeroes},
      {"discard", action::discard},
      {"discard_sectors", action::discard},
      {"read", action::read},
      {"flush_only", action::flush},
      {"secure_discard", action::read},
      {"suspend", action::suspend},
      {"resume", action::resume},
      {"settle", action::settle},
      {"message", action::message},
      {"refused", action::refused},
      {"reload", action::reload}};
  for (const auto& [known, what] : names) {
    if (known == name) {
      return what;
    }
  }
  throw std::runtime_error("the log of an image has an unknown operation " + name);
}

// Where no sectors are recorded, whole blocks stand for what was written: the same is marked.
operation operation_in(const json& entry, std::uint32_t block_size, std::uint64_t length) {
  operation result{action_named(entry.at("op"))};
  if (entry.contains("sector")) {
    result.sector = entry.at("sector");
    result.sectors = entry.at("sectors");
  } else if (entry.contains("first")) {
    result.sector = entry.at("first").get<std::uint64_t>() * block_size;
    result.sectors =
        std::min(entry.at("count").get<std::uint64_t>() * block_size, length - result.sector);
  } else if (entry.contains("table")) {
    result.sectors = length_in(entry.at("table"));
  }
  result.message = entry.value("message", "");
  return result;
}

// Replays a log. The era that the log gives for an operation is checked on the way.
kernel::guest_model replay(const json& log) {
  const std::uint32_t block_size = log.at("block_size");
  kernel::guest_model model(block_size);
  std::uint64_t length = 0;
  for (const auto& entry : log.at("ops")) {
    const auto name = entry.value("op", "");
    if (name == "create") {
      model.begin(length = length_in(entry.at("table")));
    } else if (name == "reload") {
      model.apply({action::reload, 0, length = length_in(entry.at("table"))});
    } else if (name != "" && name != "remove" && name != "a second boot") {
      model.apply(operation_in(entry, block_size, length));
    }
    if (entry.contains("era") && entry.at("era") != model.live().current_era) {
      throw std::runtime_error("era " + std::to_string(model.live().current_era) + " at " +
                               entry.dump());
    }
  }
  return model;
}

json log_of(const harness::image& image) {
  return json::parse(harness::read_file(IMAGE_FOLDER "/" + image.name + ".json"));
}

// Whether the log says exactly what was done: not all of it was certain to be through otherwise.
bool is_exact(const json& log) {
  return log.at("ended") != "power cut, operations in flight";
}

}  // namespace

TEST_CASE("the model knows the eras that recorded images have") {
  for (const auto& image : harness::images()) {
    const auto log = log_of(image);
    if (!is_exact(log)) {
      continue;
    }
    INFO(image.name);
    const auto model = replay(log);
    const auto expected = image.live.eras();
    CHECK(model.live().current_era == image.live.current_era);
    CHECK(model.live().truth(expected).eras() == expected);
    CHECK(model.snapshot().has_value() == image.snapshot.has_value());
    if (model.snapshot() && image.snapshot) {
      CHECK(model.snapshot()->current_era == image.snapshot->current_era);
      CHECK(model.snapshot()->truth({}).eras() == image.snapshot->eras());
    }
  }
}

TEST_CASE("the model lets only blocks that were cut off show their old era") {
  kernel::guest_model model(8);
  kernel::author author("model", 8, 80);
  author.write(2).write(7).reload(40).reload(80).write(8);
  model.run(author.finish().sessions.at(0));
  const std::vector<std::uint32_t> now = {0, 0, 1, 0, 0, 0, 0, 0, 3, 0};
  CHECK(model.live().current_era == 3);
  CHECK(model.live().truth({}).eras() == now);
  CHECK(model.live().truth({0, 0, 0, 0, 0, 0, 0, 1, 0, 0}).eras()[7] == 1);
  CHECK(model.live().truth({0, 0, 0, 0, 0, 0, 0, 2, 0, 0}).eras() == now);
}

TEST_CASE("the random schedules hold all that there is, and are the same for the same seed") {
  std::set<action> seen;
  std::set<std::string> messages;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto schedule = kernel::random_schedule(seed);
    const auto again = kernel::random_schedule(seed);
    REQUIRE(schedule.sessions.size() == again.sessions.size());
    kernel::guest_model model(schedule.block_size);
    kernel::guest_model model_again(schedule.block_size);
    for (std::size_t i = 0; i < schedule.sessions.size(); ++i) {
      model.run(schedule.sessions[i]);
      model_again.run(again.sessions[i]);
      CHECK(model.live().eras == model_again.live().eras);
      for (const auto& operation : schedule.sessions[i].operations) {
        seen.insert(operation.what);
        messages.insert(operation.message);
      }
    }
  }
  CHECK(seen.size() == static_cast<std::size_t>(action::status) + 1);
  CHECK(messages.size() == 5);
}
