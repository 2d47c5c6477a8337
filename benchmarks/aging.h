// Scatters metadata as a kernel does that has changed it for long: no block stands beside the one
// that was written before it. Not thread safe.
#pragma once

#include <vector>

#include "era/format/superblock.h"
#include "persistent-data/block_device.h"

namespace bench {

// Passes writes on to another device, each block to a random place among the first `nr_used`, where
// all pointers follow it. What is written must be metadata of which each of these blocks is used,
// and is used once, so that the counts of the space map hold for any order. Cannot be read.
class aged_device final : public pd::block_device {
 public:
  aged_device(pd::block_device& to, pd::block_nr nr_used, std::uint64_t seed);

  pd::block_nr nr_blocks() const override { return to_.nr_blocks(); }
  const std::string& name() const override { return to_.name(); }
  void read(std::span<pd::read_request> batch) override;
  void write(std::span<const pd::write_request> batch) override;
  void flush() override { to_.flush(); }

 private:
  const pd::block_type& type_of(const std::byte* block, pd::block_nr where) const;
  void follow_in_node(std::byte* block) const;
  void follow_in_index(std::byte* block) const;
  void follow_in_superblock(std::byte* block) const;
  pd::block_nr place_of(pd::block_nr block) const;

  pd::block_device& to_;
  std::vector<std::uint32_t> places_;  // of the blocks; 0, the superblock and "none", stays
};

}  // namespace bench
