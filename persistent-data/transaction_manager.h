// Changes metadata copy on write (doc/format.md 9). No block that the last commit needs is
// overwritten: the first change to a block copies it to a free one, its shadow; a block freed in a
// transaction is not handed out before the commit; and the superblock, written alone between two
// flushes, is the only switch from the old state to the new. Dropping the transaction manager
// without a commit leaves the old state.
//
// A failed operation (out of space, a device error, damage) leaves half-done work in memory.
// The user of this must then not commit, but start again from the device.
//
// Not thread safe.
#pragma once

#include <functional>

#include "persistent-data/block_cache.h"
#include "persistent-data/disk_space_map.h"

namespace pd {

class transaction_manager {
 public:
  // Blocks kept in memory. A transaction may change many more: they are written early.
  static constexpr std::size_t cache_size = 1024;

  // Starts metadata on a device whose contents don't matter; nothing is written yet.
  static transaction_manager format(block_device& device);

  // Goes on from a commit. Throws base::data_error if the space map is damaged.
  static transaction_manager open(block_device& device, const space_map_root& map);

  // A block to be read. Throws base::data_error if it is damaged.
  block_ptr read(const block_type& type, block_nr where) { return cache_.get(type, where); }

  // A new block with zeroed contents and one reference. Throws out_of_space if none is free.
  block_ptr create(const block_type& type);

  // A block that may be changed, with the contents of `where`, in place of it. The caller's
  // reference has moved from `where` to it. If `shared` is set, `where` is still referenced by
  // others, and everything that it names has one more reference to be counted.
  struct shadow {
    block_ptr block;
    bool shared;
  };
  shadow make_shadow(const block_type& type, block_nr where);

  std::uint32_t references(block_nr where) const { return map_.count(where); }
  void add_reference(block_nr where) { map_.increment(where); }

  // True if it was the last one, and the block is free now.
  bool drop_reference(block_nr where);

  // Blocks in use as of now, and blocks in all. As the kernel counts, those freed since the last
  // commit are in use until the next.
  block_nr used() const { return committed_used_ + allocated_; }
  block_nr total() const { return map_.nr_blocks(); }

  // For messages: the metadata's file.
  const std::string& name() const { return device_.name(); }

  // Makes all changes permanent at once. `fill` gets the root of the space map and writes the
  // contents of the superblock into a zeroed block. Throws base::io_error; then the device holds
  // the old state or the new.
  void commit(const block_type& superblock_type,
              const std::function<void(const space_map_root&, std::byte*)>& fill);

 private:
  transaction_manager(block_device& device, disk_space_map map);

  block_device& device_;
  block_cache cache_;
  disk_space_map map_;
  block_nr committed_used_;
  block_nr allocated_ = 0;  // since the last commit
};

}  // namespace pd
