#include "persistent-data/bulk_writer.h"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "persistent-data/block_reader.h"

namespace pd {
namespace {

constexpr std::size_t max_pending = 4096;  // 16 MiB

}  // namespace

bulk_writer::bulk_writer(block_device& device, block_nr first,
                         std::function<void()> before_first_write)
    : device_(device),
      before_first_write_(std::move(before_first_write)),
      pending_(std::min<block_nr>(max_pending, usable_blocks(device))),
      first_pending_(first) {}

block_nr bulk_writer::append(const block_type& type, const std::byte* block) {
  if (next() >= usable_blocks(device_)) {
    throw base::io_error(device_.name() + ": Output file too small: more than its " +
                         std::to_string(usable_blocks(device_)) +
                         " blocks of 4096 bytes are needed.  Give a larger one.");
  }
  if (nr_pending_ == max_pending) {
    write_pending();
  }
  const block_nr where = next();
  std::byte* const copy = pending_.block(nr_pending_);
  std::memcpy(copy, block, block_size);
  seal_block(type, where, copy);
  ++nr_pending_;
  return where;
}

void bulk_writer::read_back(const block_type& type, block_nr where, std::byte* into) {
  if (where >= first_pending_) {
    std::memcpy(into, pending_.block(where - first_pending_), block_size);
    return;
  }
  block_buffer one(1);
  read_request reading{where, one.block(0), 0};
  device_.read({&reading, 1});
  if (reading.error != 0) {
    throw base::io_error(base::system_message(device_.name(), reading.error));
  }
  if (const auto fault = check_head(type, where, one.block(0))) {
    throw base::io_error(device_.name() + ": block " + std::to_string(where) +
                         " was written and reads back wrong: " + fault->what);
  }
  std::memcpy(into, one.block(0), block_size);
}

void bulk_writer::rewrite(const block_type& type, block_nr where, const std::byte* block) {
  block_buffer one(1);
  std::memcpy(one.block(0), block, block_size);
  seal_block(type, where, one.block(0));
  if (where >= first_pending_) {
    std::memcpy(pending_.block(where - first_pending_), one.block(0), block_size);
    return;
  }
  const write_request writing{where, one.block(0)};
  device_.write({&writing, 1});
}

void bulk_writer::write_pending() {
  if (before_first_write_) {
    std::exchange(before_first_write_, nullptr)();
  }
  std::vector<write_request> batch;
  batch.reserve(nr_pending_);
  for (std::size_t i = 0; i < nr_pending_; ++i) {
    batch.push_back({first_pending_ + i, pending_.block(i)});
  }
  device_.write(batch);
  first_pending_ += nr_pending_;
  nr_pending_ = 0;
}

void bulk_writer::flush() {
  write_pending();
  device_.flush();
}

}  // namespace pd
