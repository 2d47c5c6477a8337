// A block device in memory, for tests and for metadata that is never to reach a disk. Not thread
// safe.
#pragma once

#include <string>

#include "persistent-data/block_device.h"

namespace pd {

class memory_device final : public block_device {
 public:
  explicit memory_device(block_nr nr_blocks, std::string name = "memory");

  block_nr nr_blocks() const override { return nr_blocks_; }
  const std::string& name() const override { return name_; }
  void read(std::span<read_request> batch) override;
  void write(std::span<const write_request> batch) override;
  void flush() override {}

  // The contents themselves.
  std::byte* block(block_nr where) { return blocks_.block(where); }
  const std::byte* block(block_nr where) const { return blocks_.block(where); }

 private:
  block_nr nr_blocks_;
  std::string name_;
  block_buffer blocks_;
};

}  // namespace pd
