// Metadata blocks in memory while they are read and changed, at most a given number of them. Blocks
// come in checked (number, checksum, type: doc/format.md 1) and go out sealed.
//
// Changed blocks may be written at any time, when memory is short, so a block may be changed only
// if no commit needs its old contents; the transaction manager sees to that. Not thread safe.
#pragma once

#include <list>
#include <memory>
#include <unordered_map>

#include "persistent-data/block_device.h"
#include "persistent-data/checksum.h"

namespace pd {

// A block in memory. It stays there, and is not written, as long as its pointer is held.
struct cached_block {
  cached_block(const block_type& of_type, block_nr at) : type(of_type), where(at) {}

  std::byte* data() { return bytes.block(0); }
  const std::byte* data() const { return bytes.block(0); }

  const block_type& type;
  block_nr where;
  block_buffer bytes{1};
  bool changed = false;
  bool contents_checked = false;  // by the code that knows what stands in such a block
};

using block_ptr = std::shared_ptr<cached_block>;

class block_cache {
 public:
  // Holds `capacity` blocks, and a few more while they are in use.
  block_cache(block_device& device, std::size_t capacity) : device_(device), capacity_(capacity) {}

  // The block as it stands. Throws base::data_error if it is damaged or can't be read.
  block_ptr get(const block_type& type, block_nr where);

  // A zeroed block in place of what was there; `type` must outlive the cache.
  block_ptr create(const block_type& type, block_nr where);

  // The contents have no meaning any more and need not be written.
  void forget(block_nr where);

  // Writes all changed blocks that are not held; true if none is left. Throws base::io_error.
  bool write_back();

 private:
  using places = std::list<block_ptr>;  // the last used at the front

  void insert(block_ptr block);
  void make_room();

  block_device& device_;
  std::size_t capacity_;
  places blocks_;
  std::unordered_map<block_nr, places::iterator> by_number_;
};

}  // namespace pd
