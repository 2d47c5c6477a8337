#include "persistent-data/block_cache.h"

#include <vector>

#include "persistent-data/block_reader.h"

namespace pd {

block_ptr block_cache::get(const block_type& type, block_nr where) {
  if (const auto found = by_number_.find(where); found != by_number_.end()) {
    const block_ptr block = *found->second;
    if (block->type.salt == type.salt) {
      blocks_.splice(blocks_.begin(), blocks_, found->second);
      return block;
    }
    if (block->changed) {
      refuse_damage(
          device_.name(), where,
          std::string("named as ") + type.name + ", but it is in use as " + block->type.name);
    }
    forget(where);
  }
  auto block = std::make_shared<cached_block>(type, where);
  block_reader reader(device_);
  std::vector<std::optional<damage>> faults;
  reader.read(type, {&where, 1}, block->bytes, faults);
  if (faults[0]) {
    refuse_damage(device_.name(), *faults[0]);
  }
  insert(block);
  return block;
}

block_ptr block_cache::create(const block_type& type, block_nr where) {
  forget(where);
  auto block = std::make_shared<cached_block>(type, where);
  block->changed = true;
  block->contents_checked = true;
  insert(block);
  return block;
}

void block_cache::forget(block_nr where) {
  if (const auto found = by_number_.find(where); found != by_number_.end()) {
    blocks_.erase(found->second);
    by_number_.erase(found);
  }
}

void block_cache::insert(block_ptr block) {
  if (blocks_.size() >= capacity_) {
    make_room();
  }
  const block_nr where = block->where;
  blocks_.push_front(std::move(block));
  by_number_[where] = blocks_.begin();
}

// Half of the blocks go at once, so that what must be written goes out in large batches.
void block_cache::make_room() {
  write_back();
  for (auto at = blocks_.end(); at != blocks_.begin() && blocks_.size() > capacity_ / 2;) {
    --at;
    if (at->use_count() == 1 && !(*at)->changed) {
      by_number_.erase((*at)->where);
      at = blocks_.erase(at);
    }
  }
}

bool block_cache::write_back() {
  std::vector<cached_block*> written;
  std::vector<write_request> batch;
  bool all = true;
  for (const block_ptr& block : blocks_) {
    if (!block->changed) {
      continue;
    }
    if (block.use_count() > 1) {
      all = false;
      continue;
    }
    seal_block(block->type, block->where, block->data());
    batch.push_back({block->where, block->data()});
    written.push_back(block.get());
  }
  if (!batch.empty()) {
    device_.write(batch);
  }
  for (cached_block* const block : written) {
    block->changed = false;
  }
  return all;
}

}  // namespace pd
