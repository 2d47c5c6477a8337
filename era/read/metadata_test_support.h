// Era metadata on devices in memory, made from plain models, for tests. The models are vectors of
// bits and eras, and know nothing of blocks. Not thread safe.
#pragma once

#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <vector>

#include "era/build/metadata_builder.h"
#include "era/read/metadata_file.h"
#include "persistent-data/metadata_test_support.h"

namespace era::test {

struct model_writeset {
  std::uint32_t era = 0;
  std::vector<bool> bits;  // as long as nr_bits

  bool marks(std::uint64_t block) const { return block < bits.size() && bits[block]; }
  std::uint32_t nr_bits() const { return static_cast<std::uint32_t>(bits.size()); }
};

struct model {
  std::uint32_t current_era = 1;
  std::vector<std::uint32_t> array;      // as long as nr_blocks
  std::vector<model_writeset> archived;  // ascending by era
  std::optional<std::vector<bool>> current;

  std::uint32_t nr_blocks() const { return static_cast<std::uint32_t>(array.size()); }

  std::uint32_t last_written(std::uint64_t block) const {
    std::uint32_t era = array[block];
    for (const model_writeset& set : archived) {
      era = std::max(era, set.marks(block) ? set.era : 0);
    }
    const bool open = current && block < current->size() && (*current)[block];
    return open ? std::max(era, current_era) : era;
  }
};

// Builds metadata piece by piece and counts references, one a block unless add_reference() says
// otherwise.
class metadata_maker {
 public:
  explicit metadata_maker(pd::memory_device& device) : writer_(device, 1, nullptr) {}

  block_nr bitset(const std::vector<bool>& bits) {
    array_filler filler(writer_, array_filler::kind::bits, bits.size());
    for (std::uint32_t i = 0; i < bits.size(); ++i) {
      const contents_run run{i, 1, bits[i] ? 1U : 0U, {}};
      filler.put({&run, 1});
    }
    return filler.finish();
  }

  block_nr era_array(const std::vector<std::uint32_t>& eras) {
    array_filler filler(writer_, array_filler::kind::eras, eras.size());
    for (std::uint32_t i = 0; i < eras.size(); ++i) {
      const contents_run run{i, 1, eras[i], {}};
      filler.put({&run, 1});
    }
    return filler.finish();
  }

  block_nr writeset_tree(const std::vector<writeset>& sets) {
    return write_writeset_tree(writer_, sets);
  }

  // One more reference to `block` than the one that every block has.
  void add_reference(block_nr block) { ++more_references_[block]; }

  // A metadata snapshot of what `live` names, as the kernel takes it.
  block_nr snapshot_of(superblock live) {
    live.location = writer_.next();
    live.metadata_snap = pd::no_block;
    pd::block_buffer block(1);
    encode_superblock(live, block.block(0));
    return writer_.append(superblock_block, block.block(0));
  }

  pd::bulk_writer& writer() { return writer_; }

  // Writes the space map and the superblock.
  superblock finish(superblock live) {
    std::vector<std::uint32_t> counts(writer_.next(), 1);
    for (const auto& [block, more] : more_references_) {
      counts[block] += more;
    }
    return finish_metadata(writer_, live, counts);
  }

  static void put_superblock(pd::memory_device& device, const superblock& live) {
    std::memset(device.block(0), 0, pd::block_size);
    encode_superblock(live, device.block(0));
    pd::seal_block(superblock_block, 0, device.block(0));
  }

 private:
  pd::bulk_writer writer_;
  std::map<block_nr, std::uint32_t> more_references_;
};

// What of `from` belongs in the superblock, with its trees written; all but the space map.
inline superblock write_trees(metadata_maker& maker, const model& from) {
  superblock live;
  live.data_block_size = 128;
  live.nr_blocks = from.nr_blocks();
  live.current_era = from.current_era;
  std::vector<writeset> sets;
  for (const model_writeset& set : from.archived) {
    sets.push_back({set.era, set.nr_bits(), maker.bitset(set.bits)});
  }
  live.writeset_tree_root = maker.writeset_tree(sets);
  live.era_array_root = maker.era_array(from.array);
  if (from.current) {
    live.current_nr_bits = static_cast<std::uint32_t>(from.current->size());
    live.current_root = maker.bitset(*from.current);
  }
  return live;
}

inline superblock write_metadata(pd::memory_device& device, const model& from) {
  metadata_maker maker(device);
  return maker.finish(write_trees(maker, from));
}

// With a metadata snapshot that was taken just now.
inline superblock write_with_snapshot(pd::memory_device& device, const model& from) {
  metadata_maker maker(device);
  superblock live = write_trees(maker, from);
  live.metadata_snap = maker.snapshot_of(live);
  maker.add_reference(live.writeset_tree_root);
  maker.add_reference(live.era_array_root);
  return maker.finish(live);
}

// Of three blocks of eras: eras 4 and 5 archived, 6 open.
inline model model_in_era_6() {
  constexpr std::uint32_t nr_blocks = 3000;
  model m;
  m.current_era = 6;
  m.array.assign(nr_blocks, 3);
  m.archived.push_back({4, std::vector<bool>(nr_blocks)});
  m.archived.push_back({5, std::vector<bool>(nr_blocks)});
  m.archived[0].bits[10] = m.archived[1].bits[20] = true;
  m.current = std::vector<bool>(nr_blocks);
  (*m.current)[30] = true;
  return m;
}

// Whole words at a time: models can be long.
inline std::vector<bool> random_bits(std::uint64_t count, unsigned of_100,
                                     std::mt19937_64& random) {
  std::vector<bool> bits(count);
  if (of_100 == 0) {
    return bits;
  }
  for (std::uint64_t i = random() % (200 / of_100); i < count; i += 1 + random() % (200 / of_100)) {
    bits[i] = true;
  }
  return bits;
}

// Remembers problems.
class problem_recorder final : public problem_sink {
 public:
  void found(const problem& p) override { problems.push_back(p); }

  std::vector<std::string> names() const {
    std::vector<std::string> all;
    for (const problem& p : problems) {
      all.emplace_back(row_of(p.code).name);
    }
    return all;
  }

  std::string text() const {
    std::string all;
    for (const problem& p : problems) {
      all += std::string(row_of(p.code).name) + ", block " + std::to_string(p.block) + ", " +
             describe(p.at) + ": " + p.what + "\n";
    }
    return all;
  }

  std::vector<problem> problems;
};

}  // namespace era::test
