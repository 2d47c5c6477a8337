#include "persistent-data/faulty_device.h"

#include <cerrno>
#include <cstring>

#include "base/error.h"

namespace pd {
namespace {

constexpr std::size_t sector_size = 512;
constexpr int not_from_the_device = 0xa5;

}  // namespace

void faulty_device::read(std::span<read_request> batch) {
  below_.read(batch);
  for (read_request& request : batch) {
    if (const auto pending = unflushed_.find(request.where); pending != unflushed_.end()) {
      std::memcpy(request.into, pending->second.data(), block_size);
    }
    if (read_fails(request.where)) {
      request.error = EIO;
      std::memset(request.into, not_from_the_device, block_size);
    }
  }
}

bool faulty_device::read_fails(block_nr where) {
  const std::uint64_t now = reads_seen_++;
  return unreadable_.contains(where) || (now >= first_failing_read_ && now < end_of_failing_reads_);
}

void faulty_device::fail_read_after(std::uint64_t count) {
  first_failing_read_ = reads_seen_ + count;
  end_of_failing_reads_ = first_failing_read_ + 1;
}

void faulty_device::fail_after_reads(std::uint64_t count) {
  first_failing_read_ = reads_seen_ + count;
  end_of_failing_reads_ = UINT64_MAX;
}

void faulty_device::write(std::span<const write_request> batch) {
  for (const write_request& request : batch) {
    write_one(request);
  }
}

void faulty_device::refuse_if_failed() {
  if (writes_left_ == 0) {
    has_failed_ = true;
    throw base::io_error(base::system_message(name(), EIO));
  }
}

void faulty_device::pass_on() {
  std::vector<write_request> batch;
  block_buffer blocks(unflushed_.size());
  for (const auto& [where, bytes] : unflushed_) {
    std::memcpy(blocks.block(batch.size()), bytes.data(), block_size);
    batch.push_back({where, blocks.block(batch.size())});
  }
  below_.write(batch);
  unflushed_.clear();
}

void faulty_device::write_one(const write_request& request) {
  refuse_if_failed();
  if (unwritable_.contains(request.where)) {
    throw base::io_error(base::system_message(name(), EIO));
  }
  --writes_left_;
  ++writes_seen_;
  unflushed_[request.where] = block_bytes(request.from, request.from + block_size);
  if (unflushed_.size() > most_unflushed_) {
    pass_on();
  }
}

void faulty_device::flush() {
  refuse_if_failed();
  pass_on();
  below_.flush();
}

void faulty_device::cut_power(std::mt19937_64& random) {
  block_buffer one(1);
  for (const auto& [where, bytes] : unflushed_) {
    read_request old{where, one.block(0), 0};
    below_.read({&old, 1});
    for (std::size_t at = 0; at < block_size; at += sector_size) {
      if (random() % 2 == 0) {
        std::memcpy(one.block(0) + at, bytes.data() + at, sector_size);
      }
    }
    const write_request torn{where, one.block(0)};
    below_.write({&torn, 1});
  }
  unflushed_.clear();
  first_failing_read_ = UINT64_MAX;
  writes_left_ = UINT64_MAX;
  has_failed_ = false;
}

}  // namespace pd
