#include "persistent-data/transaction_manager.h"

#include <cstring>
#include <stdexcept>
#include <utility>

namespace pd {
namespace {

constexpr block_nr superblock_place = 0;

}  // namespace

transaction_manager::transaction_manager(block_device& device, disk_space_map map)
    : device_(device),
      cache_(device, cache_size),
      map_(std::move(map)),
      committed_used_(map_.nr_allocated()) {}

transaction_manager transaction_manager::format(block_device& device) {
  return transaction_manager(device, disk_space_map::format(device));
}

transaction_manager transaction_manager::open(block_device& device, const space_map_root& map) {
  return transaction_manager(device, disk_space_map::open(device, map));
}

block_ptr transaction_manager::create(const block_type& type) {
  const block_nr where = map_.allocate();
  ++allocated_;
  return cache_.create(type, where);
}

transaction_manager::shadow transaction_manager::make_shadow(const block_type& type,
                                                             block_nr where) {
  const block_ptr old = cache_.get(type, where);
  const std::uint32_t references = map_.count(where);
  if (references == 1 && map_.is_new(where)) {
    old->changed = true;
    return {old, false};
  }
  const block_ptr copy = create(type);
  std::memcpy(copy->data(), old->data(), block_size);
  copy->contents_checked = old->contents_checked;
  drop_reference(where);
  return {copy, references > 1};
}

bool transaction_manager::drop_reference(block_nr where) {
  const bool is_free = map_.decrement(where);
  if (is_free) {
    cache_.forget(where);
  }
  return is_free;
}

void transaction_manager::commit(
    const block_type& superblock_type,
    const std::function<void(const space_map_root&, std::byte*)>& fill) {
  const space_map_root root = map_.write(device_);
  if (!cache_.write_back()) {
    throw std::logic_error("a metadata block is held across a commit");
  }
  device_.flush();
  block_buffer superblock(1);
  fill(root, superblock.block(0));
  seal_block(superblock_type, superblock_place, superblock.block(0));
  const write_request request{superblock_place, superblock.block(0)};
  device_.write({&request, 1});
  device_.flush();
  map_.committed();
  committed_used_ = map_.nr_allocated();
  allocated_ = 0;
}

}  // namespace pd
