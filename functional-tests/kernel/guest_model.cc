#include "guest_model.h"

#include <stdexcept>

namespace kernel {

harness::truth state::truth(const std::vector<std::uint32_t>& shown) const {
  auto all = eras;
  for (const auto& [block, era] : may_return) {
    if (block < shown.size() && shown[block] == era) {
      all[block] = era;
    }
  }
  harness::truth result{current_era, all.size(), {}};
  for (std::uint64_t block = 0; block < all.size(); ++block) {
    if (all[block] == 0) {
      continue;
    }
    if (!result.runs.empty() && result.runs.back().era == all[block] &&
        result.runs.back().first + result.runs.back().count == block) {
      ++result.runs.back().count;
    } else {
      result.runs.push_back({block, 1, all[block]});
    }
  }
  return result;
}

guest_model::guest_model(std::uint32_t block_size, const harness::truth& initial)
    : guest_model(block_size) {
  live_ = {initial.current_era, initial.eras()};
}

void guest_model::run(const session& session) {
  begin(session.length);
  for (const auto& operation : session.operations) {
    apply(operation);
  }
}

void guest_model::begin(std::uint64_t length) {
  length_ = length;
  resume();
}

void guest_model::apply(const operation& operation) {
  switch (operation.what) {
    case action::write:
    case action::write_sync:
    case action::write_buffered:
    case action::write_zeroes:
      mark(operation.sector, operation.sectors);
      break;
    case action::discard:
      // A discard is sent whole, and only the place where it begins counts.
      mark(operation.sector, 1);
      break;
    case action::message:
      send(operation.message);
      break;
    case action::suspend:
      expect(!suspended_, "suspended twice");
      suspended_ = true;
      break;
    case action::resume:
      expect(suspended_, "resumed twice");
      resume();
      break;
    case action::reload:
      length_ = operation.sectors;
      resume();
      break;
    case action::status:
      statuses_.push_back({length_, live_.current_era, snapshot_.has_value()});
      break;
    case action::read:
    case action::flush:
    case action::refused:
    case action::settle:
      break;
  }
}

void guest_model::resume() {
  resize((length_ + block_size_ - 1) / block_size_);
  begin_era();
  suspended_ = false;
}

void guest_model::resize(std::uint64_t blocks) {
  auto& eras = live_.eras;
  for (auto block = blocks; block < eras.size(); ++block) {
    const auto returned = live_.may_return.extract(block);
    const auto era = returned.empty() ? eras[block] : returned.mapped();
    if (era != 0) {
      cut_off_[block] = era;
    }
  }
  for (auto block = eras.size(); block < blocks; ++block) {
    if (auto old = cut_off_.extract(block); !old.empty()) {
      live_.may_return.insert(std::move(old));
    }
  }
  eras.resize(blocks, 0);
}

void guest_model::mark(std::uint64_t sector, std::uint64_t sectors) {
  expect(!suspended_, "I/O to a suspended device");
  expect(sectors > 0 && sector + sectors <= length_, "I/O past the end");
  for (auto block = sector / block_size_; block <= (sector + sectors - 1) / block_size_; ++block) {
    live_.eras[block] = live_.current_era;
    live_.may_return.erase(block);
  }
}

void guest_model::send(const std::string& message) {
  expect(!suspended_, "a message to a suspended device");
  if (message == "checkpoint") {
    begin_era();
  } else if (message == "take_metadata_snap") {
    expect(!snapshot_, "a second snapshot");
    begin_era();
    snapshot_ = live_;
  } else if (message == "drop_metadata_snap") {
    expect(snapshot_.has_value(), "no snapshot to drop");
    snapshot_.reset();
  } else {
    expect(false, "unknown message " + message);
  }
}

void guest_model::expect(bool right, const std::string& what) const {
  if (!right) {
    throw std::logic_error("the schedule is wrong in era " + std::to_string(live_.current_era) +
                           ": " + what);
  }
}

}  // namespace kernel
