// Sound metadata that is damaged in ways that checksums show, held against invariants.h. An input
// is the number of a sample and the damage, eight bytes each:
//
//     u8 sample
//     u8 kind, u8 -, u16 block, u16 where, u16 what
//     ...
//
// Blocks are counted among those that were ever written. Each is damaged once, by no more than a
// checksum is sure to show: several changes of one block, chosen well, could hide one another.
#include <algorithm>
#include <optional>
#include <set>
#include <span>

#include "fuzzing/invariants.h"
#include "fuzzing/samples.h"
#include "persistent-data/faulty_device.h"

namespace {

struct sound_metadata {
  fuzz::sparse_device device;
  std::vector<pd::block_nr> blocks;
  fuzz::recorded_contents contents;
};

const std::vector<sound_metadata>& all_sound() {
  static const std::vector<sound_metadata> all = [] {
    std::vector<sound_metadata> made;
    for (fuzz::sample& sample : fuzz::make_samples()) {
      std::vector<pd::block_nr> blocks;
      for (const auto& [where, bytes] : sample.device.written()) {
        blocks.push_back(where);
      }
      fuzz::recorded_contents contents = fuzz::check_sound(sample.device);
      made.push_back({std::move(sample.device), std::move(blocks), std::move(contents)});
    }
    return made;
  }();
  return all;
}

class damager {
 public:
  static constexpr std::size_t size_of_damage = 8;

  explicit damager(const sound_metadata& sound) : sound_(sound), device_(sound.device) {}

  void damage(const std::uint8_t* how) {
    const pd::block_nr block = nth_block(how[2] | how[3] << 8);
    const std::size_t where = static_cast<std::size_t>(how[4] | how[5] << 8);
    const auto what = static_cast<std::size_t>(how[6] | how[7] << 8);
    if (!damaged_.insert(block).second) {
      return;
    }
    switch (how[0] % 7) {
      case 0:
        return flip_bits(block, where, what);
      case 1:
        return zero(block, 0);
      case 2:  // torn
        return zero(block, where % 8 * 512);
      case 3:
        return overwrite(block, nth_block(what));
      case 4:
        return swap(block, nth_block(what));
      case 5:
        unreadable_.insert(block);
        return;
      default:
        return cut_off(block);
    }
  }

  void check() {
    pd::faulty_device faulty(device_);
    for (const pd::block_nr block : unreadable_) {
      if (block < device_.nr_blocks()) {
        faulty.fail_reads_of(block);
      }
    }
    fuzz::check_damaged(faulty, sound_.contents);
  }

 private:
  pd::block_nr nth_block(std::size_t n) const { return sound_.blocks[n % sound_.blocks.size()]; }

  // Up to three bits, which CRC-32C shows in blocks of this length.
  void flip_bits(pd::block_nr block, std::size_t first, std::size_t distance) {
    std::byte* const bytes = device_.block(block);
    constexpr std::size_t bits = 8 * pd::block_size;
    std::set<std::size_t> flipped{first % bits, (first + distance) % bits,
                                  (first + distance * 7) % bits};
    for (const std::size_t bit : flipped) {
      bytes[bit / 8] ^= static_cast<std::byte>(1U << bit % 8);
    }
  }

  void zero(pd::block_nr block, std::size_t from) {
    std::byte* const bytes = device_.block(block);
    std::fill(bytes + from, bytes + pd::block_size, std::byte{0});
  }

  void overwrite(pd::block_nr block, pd::block_nr from) {
    std::copy_n(device_.block(from), pd::block_size, device_.block(block));
  }

  void swap(pd::block_nr block, pd::block_nr other) {
    if (damaged_.insert(other).second) {
      std::swap_ranges(device_.block(block), device_.block(block) + pd::block_size,
                       device_.block(other));
    }
  }

  void cut_off(pd::block_nr block) {
    if (block > 0) {
      device_.resize(block);
    }
  }

  const sound_metadata& sound_;
  fuzz::sparse_device device_;
  std::set<pd::block_nr> damaged_;
  std::set<pd::block_nr> unreadable_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) {
    return 0;
  }
  damager what(all_sound()[data[0] % all_sound().size()]);
  for (std::size_t at = 1; at + damager::size_of_damage <= size; at += damager::size_of_damage) {
    what.damage(data + at);
  }
  what.check();
  return 0;
}
