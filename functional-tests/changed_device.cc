#include "changed_device.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <random>
#include <sstream>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"

namespace fixtures {
namespace {

constexpr std::uint64_t sector = 512;

}  // namespace

changed_device::changed_device(const shape& wanted, const std::filesystem::path& parent)
    : place_(parent), shape_(wanted) {
  run("device metadata 1M\ndevice origin " + std::to_string(shape_.origin_sectors) + "\n" +
      writes(shape_.seed));
  since_ = call("era_invalidate", {"--written-since", "0", "--summary", *this / "metadata"}).out;
  since_ = since_.substr(since_.find("next_since ") + 11);
  since_.pop_back();
  base_ = harness::read_file(*this / "origin");
  change(shape_.seed + 1000);
  REQUIRE(origin_ != base_);
}

void changed_device::change(unsigned seed) {
  run(writes(seed));
  origin_ = harness::read_file(*this / "origin");
}

std::string changed_device::list(std::vector<std::string> options) const {
  options.insert(options.end(),
                 {"--written-since", since_, "--origin", *this / "origin", *this / "metadata"});
  const auto got = call("era_invalidate", options);
  INFO(got.err);
  REQUIRE(got.status == 0);
  CHECK(got.err == "");
  return got.out;
}

std::vector<byte_extent> changed_device::listed() const {
  std::vector<byte_extent> found;
  std::istringstream lines(list({"--format", "xml"}));
  for (std::string line; std::getline(lines, line);) {
    std::vector<std::uint64_t> numbers;
    for (std::size_t at = line.find('"'); at != std::string::npos;
         at = line.find('"', line.find('"', at + 1) + 1)) {
      numbers.push_back(std::stoull(line.substr(at + 1)));
    }
    if (!numbers.empty()) {
      const std::uint64_t block = shape_.block_sectors * sector;
      const std::uint64_t end = numbers.size() > 1 ? numbers[1] : numbers[0] + 1;
      found.push_back({numbers[0] * block, std::min<std::uint64_t>(end * block, origin_.size())});
    }
  }
  REQUIRE_FALSE(found.empty());
  REQUIRE(found.back().end == origin_.size());
  return found;
}

std::uint64_t changed_device::listed_bytes() const {
  return nlohmann::json::parse(list({"--summary", "--format", "json"})).at("total_bytes");
}

std::string changed_device::overlaid(std::string onto) const {
  for (const byte_extent& one : listed()) {
    onto.replace(one.begin, one.end - one.begin, origin_, one.begin, one.end - one.begin);
  }
  return onto;
}

void changed_device::run(const std::string& script) const {
  const auto got = place_.script(script);
  INFO(got.err);
  REQUIRE(got.status == 0);
}

std::string changed_device::writes(unsigned seed) const {
  const std::string sectors = std::to_string(shape_.origin_sectors);
  std::mt19937_64 random(seed);
  std::string script =
      "create 0 " + sectors + " era metadata origin " + std::to_string(shape_.block_sectors) + "\n";
  for (int i = 0; i < 60; ++i) {
    script += "write " + std::to_string(random() % (shape_.origin_sectors - 300)) + " " +
              std::to_string(1 + random() % 300) + "\n";
  }
  return script + "write " + std::to_string(shape_.origin_sectors - 2) + " 2\nremove\n";
}

void require_done(const harness::result& got) {
  INFO(got.err);
  REQUIRE(got.status == 0);
  CHECK(got.err == "");
}

nlohmann::json state_in(const std::string& path) {
  return nlohmann::json::parse(harness::read_file(path));
}

bool has_bytes(const std::string& path, const std::string& bytes) {
  return harness::read_file(path) == bytes;
}

bool has_programs(const std::vector<std::string>& programs) {
  for (const auto& program : programs) {
    if (harness::run({"bash", "-c", "command -v " + program}).status != 0) {
      WARN("skipped: " << program << " is not here, see scripts/packages");
      return false;
    }
  }
  return true;
}

}  // namespace fixtures
