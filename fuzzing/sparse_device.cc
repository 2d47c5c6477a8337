#include "fuzzing/sparse_device.h"

#include <cstring>

namespace fuzz {

void sparse_device::read(std::span<pd::read_request> batch) {
  for (pd::read_request& request : batch) {
    const auto found = written_.find(request.where);
    if (found == written_.end()) {
      std::memset(request.into, 0, pd::block_size);
    } else {
      std::memcpy(request.into, found->second.data(), pd::block_size);
    }
    request.error = 0;
  }
}

void sparse_device::write(std::span<const pd::write_request> batch) {
  for (const pd::write_request& request : batch) {
    std::memcpy(block(request.where), request.from, pd::block_size);
  }
}

void sparse_device::resize(pd::block_nr nr_blocks) {
  nr_blocks_ = nr_blocks;
  written_.erase(written_.lower_bound(nr_blocks), written_.end());
}

}  // namespace fuzz
