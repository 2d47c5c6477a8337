#include "era/repair/resealed_superblock.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "era/check/check.h"

namespace era {
namespace {

// Notes whether anything speaks against a superblock. Remarks on what other blocks say, with right
// checksums of their own, do not.
class objection_finder final : public problem_sink {
 public:
  void found(const problem& p) override {
    static constexpr std::array harmless = {
        code_of(pd::damage_kind::node_odd_maximum), code_of(pd::damage_kind::map_smaller),
        code_of(pd::damage_kind::map_index_entry),  problem_code::writeset_nr_bits,
        problem_code::writeset_bits_beyond,         problem_code::writeset_gap};
    any_ = any_ || std::find(harmless.begin(), harmless.end(), p.code) == harmless.end();
  }

  bool any() const { return any_; }

 private:
  bool any_ = false;
};

// Block 0, if it says of itself what only a superblock does.
std::optional<superblock> read_unsealed(pd::block_device& device) {
  pd::block_buffer block(1);
  if (device.nr_blocks() == 0 || pd::read_block(device, 0, block.block(0)) != 0 ||
      has_sound_checksum(block.block(0))) {
    return std::nullopt;
  }
  superblock found = decode_superblock(block.block(0));
  if (found.magic != superblock_magic || found.location != 0 ||
      found.version != superblock_version || found.metadata_block_size != metadata_block_sectors) {
    return std::nullopt;
  }
  found.flags = 0;
  return found;
}

// Nothing but the archived eras shows that the current one is right, and nothing but the length of
// the device that of the open writeset, which ends somewhere in a word.
bool is_current_proved(const metadata& of) {
  const superblock& s = of.superblock;
  if (of.nr_archived() == 0 || (of.has_current && s.current_nr_bits != s.nr_blocks)) {
    return false;
  }
  const std::uint64_t latest = of.writesets[of.nr_archived() - 1].era;
  return latest + (of.has_current ? 1 : 0) == s.current_era;
}

}  // namespace

device_with_superblock::device_with_superblock(pd::block_device& below, const superblock& instead)
    : below_(below) {
  encode_superblock(instead, superblock_.block(0));
  pd::seal_block(superblock_block, 0, superblock_.block(0));
}

void device_with_superblock::read(std::span<pd::read_request> batch) {
  below_.read(batch);
  for (pd::read_request& request : batch) {
    if (request.where == 0) {
      std::memcpy(request.into, superblock_.block(0), pd::block_size);
      request.error = 0;
    }
  }
}

void device_with_superblock::write(std::span<const pd::write_request>) {
  throw base::io_error(name() + ": is open for reading only");
}

std::optional<superblock> find_resealed_superblock(pd::block_device& device,
                                                   base::progress& progress) {
  const std::optional<superblock> candidate = read_unsealed(device);
  if (!candidate) {
    return std::nullopt;
  }
  device_with_superblock resealed(device, *candidate);
  objection_finder objections;
  {
    metadata_file file(resealed);
    const std::optional<superblock> usable = file.read_superblock(0, objections);
    if (objections.any() || !usable ||
        !is_current_proved(file.read_state(*usable, metadata_state::live, objections))) {
      return std::nullopt;
    }
  }
  check(resealed, {}, objections, progress);
  return objections.any() ? std::nullopt : candidate;
}

}  // namespace era
