#include "era/build/metadata_builder.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>
#include <vector>

#include "persistent-data/btree_builder.h"
#include "persistent-data/sizes.h"
#include "persistent-data/space_map_builder.h"

namespace era {
namespace {

constexpr std::size_t runs_in_a_batch = 4096;

void write_block_0(pd::block_device& device, const std::byte* block) {
  const pd::write_request request{0, block};
  device.write({&request, 1});
  device.flush();
}

// Once the superblock was on its way, nobody knows whether the device holds it. Returns whether
// the device took the mark in its place.
bool put_mark_back(pd::block_device& device) {
  try {
    write_mark(device);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

std::string doubtful_end(const base::io_error& failed, bool marked) {
  const std::string what = std::string(failed.what()) + ": writing the superblock failed";
  return marked ? what + ", so block 0 was marked as unfinished again.  Write it anew."
                : what +
                      ", and then marking it as unfinished: the metadata may be whole or not.  "
                      "Write it anew before it is used.";
}

// Collects runs and hands them on in batches.
class run_batch {
 public:
  explicit run_batch(array_filler& into) : into_(into) {}

  void add(std::uint64_t first, std::uint64_t end, std::uint32_t value) {
    runs_.push_back(
        {static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(end - first), value, {}});
    if (runs_.size() == runs_in_a_batch) {
      flush();
    }
  }

  void flush() {
    into_.put(runs_);
    runs_.clear();
  }

 private:
  array_filler& into_;
  std::vector<contents_run> runs_;
};

// The first bit from `at` on with that value, or window.count.
std::uint64_t next_bit(const contents_window& window, bool value, std::uint64_t at) {
  while (at < window.count) {
    const std::uint64_t word = window.bits[at / pd::bits_per_word];
    const std::uint64_t rest = (value ? word : ~word) >> at % pd::bits_per_word;
    if (rest != 0) {
      return std::min(window.count, at + static_cast<unsigned>(std::countr_zero(rest)));
    }
    at += pd::bits_per_word - at % pd::bits_per_word;
  }
  return window.count;
}

}  // namespace

metadata_builder::metadata_builder(pd::block_device& device, current_writeset current)
    : device_(device), current_(current), writer_(device, 1, [&device] { write_mark(device); }) {}

void metadata_builder::begin(const superblock_facts& facts) {
  superblock_.data_block_size = facts.block_size;
  superblock_.nr_blocks = facts.nr_blocks;
  superblock_.current_era = facts.current_era;
  array_blocks_ = pd::array_blocks(facts.nr_blocks, era_size);
  check_room();
  eras_ = std::make_unique<array_filler>(writer_, array_filler::kind::eras, facts.nr_blocks);
}

void metadata_builder::begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) {
  const auto [place, is_new] = writesets_.insert({era, {era, nr_bits, pd::no_block}});
  if (!is_new) {
    throw contents_conflict("a second writeset of era " + std::to_string(era), at);
  }
  present_ = place;
  refuse_lowered_eras();
  array_blocks_ += pd::bitset_blocks(nr_bits);
  check_room();
  bits_ = std::make_unique<array_filler>(writer_, array_filler::kind::bits, nr_bits);
}

void metadata_builder::bits(window_ptr window) {
  run_batch runs(*bits_);
  std::uint64_t end = 0;
  for (std::uint64_t at = next_bit(*window, true, 0); at < window->count;
       at = next_bit(*window, true, end)) {
    end = next_bit(*window, false, at);
    runs.add(window->first + at, window->first + end, 1);
  }
  runs.flush();
}

void metadata_builder::eras(std::span<const contents_run> runs) {
  for (const contents_run& run : runs) {
    note_latest(run);
  }
  refuse_lowered_eras();
  eras_->put(runs);
}

void metadata_builder::eras(window_ptr window) {
  run_batch runs(*eras_);
  const std::vector<std::uint32_t>& eras = window->eras;
  for (std::uint64_t at = 0, end = 0; at < window->count; at = end) {
    for (end = at + 1; end < window->count && eras[end] == eras[at]; ++end) {
    }
    if (eras[at] != 0) {
      note_latest({static_cast<std::uint32_t>(window->first + at), 1, eras[at], {}});
      runs.add(window->first + at, window->first + end, eras[at]);
    }
  }
  refuse_lowered_eras();
  runs.flush();
}

void metadata_builder::end_writeset() {
  present_->second.root = bits_->finish();
}

void metadata_builder::end() {
  superblock_.era_array_root = eras_->finish();
  std::vector<writeset> archived;
  for (const auto& [era, set] : writesets_) {
    if (current_ == current_writeset::open && era == superblock_.current_era) {
      superblock_.current_root = set.root;
      superblock_.current_nr_bits = set.nr_bits;
    } else {
      archived.push_back(set);
    }
  }
  superblock_.writeset_tree_root = write_writeset_tree(writer_, archived);
  finish_metadata(writer_, superblock_, std::vector<std::uint32_t>(writer_.next(), 1));
}

// Throws if what has been announced so far is more than the device holds.
void metadata_builder::check_room() const {
  const std::uint64_t have = pd::usable_blocks(device_);
  const std::uint64_t need = pd::device_blocks(
      1 + array_blocks_ + pd::tree_blocks(writesets_.size(), writeset_value_size));
  if (need > have) {
    throw base::io_error(device_.name() + ": Output file too small: at least " +
                         std::to_string(need) + " blocks of 4096 bytes (" +
                         std::to_string(need * pd::block_size) + " bytes) are needed, it has " +
                         std::to_string(have) + ".");
  }
}

void metadata_builder::note_latest(const contents_run& run) {
  if (run.value > latest_.value) {
    latest_ = run;
  }
}

void metadata_builder::refuse_lowered_eras() const {
  if (writesets_.empty() || latest_.value <= writesets_.begin()->first) {
    return;
  }
  throw contents_conflict(
      "block " + std::to_string(latest_.first) + " has era " + std::to_string(latest_.value) +
          ", later than the writeset of era " + std::to_string(writesets_.begin()->first) +
          ": the kernel would lower it to that when it digests the writeset.  Take the logical "
          "form of the dump, which has the latest era of each block and no writesets.",
      latest_.at);
}

block_nr write_writeset_tree(pd::bulk_writer& writer, std::span<const writeset> sets) {
  pd::btree_builder tree(writer, writeset_value_size);
  for (const writeset& set : sets) {
    std::byte value[writeset_value_size];
    encode_writeset(set, value);
    tree.add(set.era, value);
  }
  return tree.finish();
}

superblock finish_metadata(pd::bulk_writer& writer, superblock from,
                           std::span<const std::uint32_t> counts) {
  from.space_map = pd::write_space_map(writer, counts);
  writer.flush();
  pd::block_buffer block(1);
  encode_superblock(from, block.block(0));
  pd::seal_block(superblock_block, 0, block.block(0));
  write_block_0_last(writer.device(), block.block(0));
  return from;
}

void write_mark(pd::block_device& device) {
  pd::block_buffer block(1);
  std::memcpy(block.block(0), restore_mark.data(), restore_mark.size());
  write_block_0(device, block.block(0));
}

void write_block_0_last(pd::block_device& device, const std::byte* block) {
  try {
    write_block_0(device, block);
  } catch (const base::io_error& failed) {
    throw base::io_error(doubtful_end(failed, put_mark_back(device)));
  } catch (...) {
    put_mark_back(device);
    throw;
  }
}

}  // namespace era
