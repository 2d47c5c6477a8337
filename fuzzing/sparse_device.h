// A metadata device in memory that keeps only the blocks that were written: the others read as
// zeros. A copy is a device of its own. Not thread safe.
#pragma once

#include <array>
#include <map>
#include <string>

#include "persistent-data/block_device.h"

namespace fuzz {

using block_bytes = std::array<std::byte, pd::block_size>;

class sparse_device final : public pd::block_device {
 public:
  explicit sparse_device(pd::block_nr nr_blocks) : nr_blocks_(nr_blocks) {}

  pd::block_nr nr_blocks() const override { return nr_blocks_; }
  const std::string& name() const override { return name_; }
  void read(std::span<pd::read_request> batch) override;
  void write(std::span<const pd::write_request> batch) override;
  void flush() override {}

  // The blocks that were written, by their numbers.
  const std::map<pd::block_nr, block_bytes>& written() const { return written_; }

  // The contents of a block, which counts as written from now on.
  std::byte* block(pd::block_nr where) { return written_[where].data(); }

  // Cuts the device off, or makes it longer.
  void resize(pd::block_nr nr_blocks);

 private:
  pd::block_nr nr_blocks_;
  std::string name_ = "metadata";
  std::map<pd::block_nr, block_bytes> written_;
};

}  // namespace fuzz
