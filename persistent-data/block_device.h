// A device of 4096-byte blocks: the one interface between the library and the world, with
// implementations on a file (file_device), in memory (memory_device) and for tests that need a
// device to fail or to lose power (faulty_device).
//
// Requests come in batches, in any order, so that an implementation can sort and merge them.
// Not thread safe: one thread at a time uses a device.
#pragma once

#include <span>
#include <string>

#include "persistent-data/block.h"

namespace pd {

struct read_request {
  block_nr where = 0;
  std::byte* into = nullptr;  // block_size bytes, aligned to block_size
  int error = 0;              // set by read(): 0, or the errno of this block alone
};

struct write_request {
  block_nr where = 0;
  const std::byte* from = nullptr;  // block_size bytes, aligned to block_size
};

class block_device {
 public:
  virtual ~block_device() = default;

  // Whole blocks on the device.
  virtual block_nr nr_blocks() const = 0;

  // For messages: the path that the user gave.
  virtual const std::string& name() const = 0;

  // Reads every block of the batch. A block that can't be read is damage, not a failure of the
  // batch: its request's `error` says so, and the others are read all the same. All block numbers
  // must be below nr_blocks().
  virtual void read(std::span<read_request> batch) = 0;

  // Writes every block of the batch; throws base::io_error when one of them fails. What is written
  // is on stable storage only after flush(), in no order. Below nr_blocks(), each block once.
  virtual void write(std::span<const write_request> batch) = 0;

  // Everything written so far is on stable storage when it returns; throws base::io_error.
  virtual void flush() = 0;

  // What seems to lie on the device if it is not blocks of ours, in words: "an ext4 file system".
  // Empty if nothing is known.
  virtual std::string content() { return ""; }

  // Throws base::data_error if somebody else wrote to the device since it was opened for reading,
  // as far as that can be told: what was read then is worth nothing.
  virtual void require_unchanged() {}
};

// Reads one block into block_size aligned bytes; returns 0, or the errno of the read.
inline int read_block(block_device& device, block_nr where, std::byte* into) {
  read_request request{where, into, 0};
  device.read({&request, 1});
  return request.error;
}

// The part of the device that metadata can use.
inline block_nr usable_blocks(const block_device& device) {
  const block_nr all = device.nr_blocks();
  return all < max_metadata_blocks ? all : max_metadata_blocks;
}

}  // namespace pd
