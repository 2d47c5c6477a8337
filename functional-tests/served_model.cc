#include "served_model.h"

#include <algorithm>

#include "dump_parser.h"
#include "fixtures.h"
#include "harness.h"

namespace serving {
namespace {

constexpr std::size_t most_problems = 10;  // the next thousand say the same

}  // namespace

served_model::served_model(std::uint64_t bytes, std::uint64_t block_bytes)
    : block_bytes_(block_bytes),
      contents_(bytes, '\0'),
      blocks_((bytes + block_bytes - 1) / block_bytes) {}

void served_model::raise(const byte_span& at, const era_bounds& to) {
  for (auto block = at.begin / block_bytes_; block * block_bytes_ < at.end; ++block) {
    era_bounds& known = blocks_[block];
    known.least = std::max(known.least, to.least);
    known.most = std::max(known.most, to.most);
  }
}

void served_model::completed(const byte_span& at, const std::string& bytes,
                             const era_bounds& sent_and_answered) {
  std::copy(bytes.begin(), bytes.end(), contents_.begin() + static_cast<std::ptrdiff_t>(at.begin));
  const std::lock_guard held(mutex_);
  raise(at, sent_and_answered);
}

void served_model::interrupted(const byte_span& at, const std::string& bytes,
                               const era_bounds& era) {
  const std::lock_guard held(mutex_);
  raise(at, {0, era.most});
  lost_.push_back({at, bytes, era});
}

// Whether any of it is on the disk: then the blocks of these bytes must be marked.
bool served_model::has_reached(const lost_write& write, const std::string& disk) {
  bool any = false;
  for (std::uint64_t at = write.at.begin; at < write.at.end; ++at) {
    if (disk[at] == contents_[at]) {
      continue;
    }
    any = true;
    raise({at, at + 1}, {write.era.least, 0});
    if (disk[at] != write.bytes[at - write.at.begin]) {
      problems_.push_back("byte " + std::to_string(at) + " is neither old nor new");
      break;
    }
  }
  return any;
}

void served_model::look_at_disk(const std::string& disk) {
  const std::lock_guard held(mutex_);
  for (const lost_write& write : lost_) {
    reached_ += has_reached(write, disk) ? 1 : 0;
    std::copy(disk.begin() + static_cast<std::ptrdiff_t>(write.at.begin),
              disk.begin() + static_cast<std::ptrdiff_t>(write.at.end),
              contents_.begin() + static_cast<std::ptrdiff_t>(write.at.begin));
  }
  lost_.clear();
}

std::vector<std::string> served_model::differences(const std::string& disk_path,
                                                   const std::string& metadata_path) {
  const std::string disk = harness::read_file(disk_path);
  look_at_disk(disk);
  std::vector<std::string> found = std::move(problems_);
  problems_.clear();
  const auto different = std::mismatch(disk.begin(), disk.end(), contents_.begin());
  if (disk.size() != contents_.size() || different.first != disk.end()) {
    found.push_back("the disk differs from byte " + std::to_string(different.first - disk.begin()) +
                    " on");
  }
  const auto checked = fixtures::call("era_check", {metadata_path});
  if (checked.status != 0 ||
      checked.out.find(": 0 errors, 0 non-fatal errors, 0 remarks\n") == std::string::npos) {
    found.push_back("era_check: " + checked.out + checked.err);
    return found;
  }
  const auto eras = harness::parse_dump(fixtures::dump(metadata_path, {"--logical"})).fold();
  if (eras.size() != blocks_.size()) {
    found.push_back("the metadata has " + std::to_string(eras.size()) + " blocks");
    return found;
  }
  for (std::size_t block = 0; block < eras.size() && found.size() < most_problems; ++block) {
    const era_bounds& known = blocks_[block];
    if (eras[block] < known.least || eras[block] > known.most) {
      found.push_back("block " + std::to_string(block) + " has era " + std::to_string(eras[block]) +
                      ", and was written in " + std::to_string(known.least) + " to " +
                      std::to_string(known.most));
    }
  }
  return found;
}

std::uint64_t served_model::blocks_written() const {
  return static_cast<std::uint64_t>(std::count_if(
      blocks_.begin(), blocks_.end(), [](const era_bounds& known) { return known.least > 0; }));
}

}  // namespace serving
