#include "persistent-data/memory_device.h"

#include <cstring>
#include <utility>

namespace pd {

memory_device::memory_device(block_nr nr_blocks, std::string name)
    : nr_blocks_(nr_blocks), name_(std::move(name)), blocks_(nr_blocks) {}

void memory_device::read(std::span<read_request> batch) {
  for (read_request& request : batch) {
    std::memcpy(request.into, blocks_.block(request.where), block_size);
    request.error = 0;
  }
}

void memory_device::write(std::span<const write_request> batch) {
  for (const write_request& request : batch) {
    std::memcpy(blocks_.block(request.where), request.from, block_size);
  }
}

}  // namespace pd
