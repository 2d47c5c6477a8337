#include "era/rollback/stale_blocks.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/bytes.h"

namespace era {
namespace {

constexpr std::uint64_t bits_per_word = 64;

// Mappings lead to all places of the origin, and the memory of most of them is far from the
// processor: it is asked for so many mappings ahead.
constexpr std::size_t prefetched = 32;

std::uint64_t bit_of(std::uint64_t block) {
  return std::uint64_t{1} << block % bits_per_word;
}

[[noreturn]] void refuse_size(std::uint64_t nr_blocks, std::uint32_t block_size) {
  throw cache::mapping_conflict("the origin has " + std::to_string(nr_blocks) + " blocks of " +
                                std::to_string(block_size) + " sectors, more than the " +
                                std::to_string(most_rollback_blocks) + " that are supported");
}

}  // namespace

// No product overflows: sectors of a device are far from the end of 64 bits.
void stale_finder::begin(const cache::cache_facts& facts) {
  result_.cache = facts;
  in_use_.resize(facts.nr_blocks);
  stale_.resize(base::ceil_div(facts.nr_blocks, bits_per_word));
  end_of_origin_ = most_rollback_blocks;
  if (changed_.origin_sectors) {
    end_of_origin_ = base::ceil_div(*changed_.origin_sectors, facts.block_size);
    if (end_of_origin_ > most_rollback_blocks) {
      refuse_size(end_of_origin_, facts.block_size);
    }
    origin_.resize(base::ceil_div(end_of_origin_, bits_per_word));
  }
  for_each_run(changed_.blocks, [&](const block_range& run) {
    note_changed(run.first * changed_.block_size / facts.block_size,
                 base::ceil_div(run.end * changed_.block_size, facts.block_size));
  });
}

void stale_finder::note_changed(std::uint64_t first, std::uint64_t end) {
  if (!changed_.origin_sectors) {
    if (end > most_rollback_blocks) {
      refuse_size(end, result_.cache.block_size);
    }
    origin_.resize(std::max(origin_.size(), base::ceil_div(end, bits_per_word)));
  }
  end = std::min(end, end_of_origin_);  // the last block of a list may be partial
  for (std::uint64_t at = first; at < end;) {
    const std::uint64_t in_word = at % bits_per_word;
    const std::uint64_t count = std::min(end - at, bits_per_word - in_word);
    origin_[at / bits_per_word].changed |= ~std::uint64_t{0} >> (bits_per_word - count) << in_word;
    at += count;
  }
}

void stale_finder::add(std::span<const cache::mapping> found) {
  for (std::size_t i = 0; i < found.size(); ++i) {
    if (i + prefetched < found.size()) {
      prefetch(found[i + prefetched]);
    }
    add_one(found[i]);
  }
}

void stale_finder::prefetch(const cache::mapping& soon) const {
  const std::uint64_t word = soon.origin_block / bits_per_word;
  if (word < origin_.size()) {
    __builtin_prefetch(&origin_[word], 1);
  }
}

void stale_finder::add_one(const cache::mapping& found) {
  if (in_use_[found.cache_block]) {
    throw cache::mapping_conflict("cache block " + std::to_string(found.cache_block) +
                                  " is mapped twice");
  }
  in_use_[found.cache_block] = true;
  origin_word& word = word_of(found);
  const std::uint64_t bit = bit_of(found.origin_block);
  if ((word.cached & bit) != 0) {
    throw cache::mapping_conflict("cache block " + std::to_string(found.cache_block) +
                                  " holds origin block " + std::to_string(found.origin_block) +
                                  ", which another cache block holds as well");
  }
  word.cached |= bit;
  ++result_.nr_mappings;
  result_.nr_dirty += found.is_dirty ? 1 : 0;
  if ((word.changed & bit) != 0) {
    note_stale(found);
  }
}

stale_finder::origin_word& stale_finder::word_of(const cache::mapping& found) {
  if (found.origin_block >= end_of_origin_) {
    throw cache::mapping_conflict(
        "cache block " + std::to_string(found.cache_block) + " holds origin block " +
        std::to_string(found.origin_block) + ", but the origin ends before block " +
        std::to_string(end_of_origin_) +
        (changed_.origin_sectors ? "\nIs this the cache of another device?" : ""));
  }
  const std::uint64_t word = found.origin_block / bits_per_word;
  if (word >= origin_.size()) {
    origin_.resize(std::max<std::uint64_t>(word + 1, origin_.size() * 2));
  }
  return origin_[word];
}

void stale_finder::note_stale(const cache::mapping& found) {
  ++result_.nr_stale;
  stale_[found.cache_block / bits_per_word] |= bit_of(found.cache_block);
  if (found.is_dirty) {
    const bool is_first =
        result_.nr_stale_dirty++ == 0 || found.cache_block < result_.first_stale_dirty;
    result_.first_stale_dirty = is_first ? found.cache_block : result_.first_stale_dirty;
  }
}

stale_blocks stale_finder::finish() {
  result_.blocks = written_blocks(std::exchange(stale_, {}), result_.cache.nr_blocks);
  return std::move(result_);
}

}  // namespace era
