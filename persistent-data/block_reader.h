// Reads blocks and checks what can be checked of any block: that its number is on the device, that
// it can be read, its checksum and its own number (doc/format.md 1). Not thread safe.
#pragma once

#include <optional>
#include <span>
#include <vector>

#include "persistent-data/block_device.h"
#include "persistent-data/checksum.h"
#include "persistent-data/damage.h"

namespace pd {

// How many blocks a caller should ask for at once: enough to keep a device busy, and few enough
// that several batches fit in memory (2 MiB each).
inline constexpr std::size_t read_batch = 512;

// Says what a block with a wrong checksum looks like, if it is one of those that pd knows.
std::string describe_bad_checksum(const block_type& expected, const std::byte* block);

// "named as a btree node, but the device has 16 metadata blocks": a number that names none of them,
// or the superblock.
std::string describe_out_of_range(const std::string& named_as, block_nr nr_blocks);

// What is wrong with the head of a block that was read from `where`, if anything.
std::optional<damage> check_head(const block_type& type, block_nr where, const std::byte* block);

class block_reader {
 public:
  explicit block_reader(block_device& device) : device_(device), usable_(usable_blocks(device)) {}

  block_device& device() { return device_; }

  // Blocks that metadata can name: below this and not 0.
  block_nr usable() const { return usable_; }

  // Reads blocks[i] into buffer.block(i), the buffer being at least as large as the batch, and
  // leaves in faults[i] what is wrong with it.
  void read(const block_type& type, std::span<const block_nr> blocks, block_buffer& buffer,
            std::vector<std::optional<damage>>& faults);

  // The same, but for check_head, which is left to the caller: a caller that looks at a block soon
  // after finds it in the processor's cache.
  void fetch(const block_type& type, std::span<const block_nr> blocks, block_buffer& buffer,
             std::vector<std::optional<damage>>& faults);

  // Blocks read since the beginning.
  std::uint64_t blocks_read() const { return blocks_read_; }

 private:
  block_device& device_;
  block_nr usable_;
  std::uint64_t blocks_read_ = 0;
  std::vector<read_request> requests_;
  std::vector<std::size_t> request_of_;
};

}  // namespace pd
