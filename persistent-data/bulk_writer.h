// Writes new metadata from front to back: each block gets the next number, and blocks go to the
// device in large ascending batches. The basis of the builders (design: bottom up, every node
// written once). Nothing reaches the device before the first batch is full or flush() is called,
// so small metadata is complete before a byte is written. Not thread safe.
#pragma once

#include <functional>

#include "persistent-data/block_device.h"
#include "persistent-data/checksum.h"

namespace pd {

class bulk_writer {
 public:
  // The first block will be `first`. `before_first_write` is called once, before anything is
  // written to the device.
  bulk_writer(block_device& device, block_nr first, std::function<void()> before_first_write);

  // Seals a copy of `block` and gives it the next number. Throws base::io_error if the device is
  // full or fails.
  block_nr append(const block_type& type, const std::byte* block);

  // Fetches a block that was appended before, wherever it is by now, and puts it back changed.
  void read_back(const block_type& type, block_nr where, std::byte* into);
  void rewrite(const block_type& type, block_nr where, const std::byte* block);

  // The number that the next block will get.
  block_nr next() const { return first_pending_ + nr_pending_; }

  block_device& device() { return device_; }

  // Hands all to the device, and waits until it is on stable storage.
  void flush();

 private:
  void write_pending();

  block_device& device_;
  std::function<void()> before_first_write_;
  block_buffer pending_;
  block_nr first_pending_;
  std::size_t nr_pending_ = 0;
};

}  // namespace pd
