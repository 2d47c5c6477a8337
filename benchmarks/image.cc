#include "benchmarks/image.h"

#include <vector>

#include "era/format/writeset.h"
#include "persistent-data/array_builder.h"
#include "persistent-data/bulk_writer.h"
#include "persistent-data/space_map_builder.h"

namespace bench {
namespace {

pd::array_root bitset_shape(const contents& what) {
  return pd::bitset_root(pd::no_block, what.nr_blocks);
}

pd::array_root era_array_shape(const contents& what) {
  return {pd::no_block, sizeof(std::uint32_t), what.nr_blocks};
}

// A whole array from a stream of its values, one array block at a time.
template <typename Value, typename Stream>
pd::block_nr write_array(pd::bulk_writer& writer, const pd::array_root& shape, Stream values) {
  pd::array_builder builder(writer, shape);
  std::vector<Value> some(pd::array_capacity(shape.value_size));
  for (std::uint64_t key = 0; key < shape.nr_array_blocks(); ++key) {
    const std::span<Value> part = std::span(some).first(shape.entries(key));
    values.next(part);
    std::memcpy(builder.values_of(key), part.data(), part.size_bytes());
  }
  return builder.finish();
}

pd::block_nr write_writesets(pd::bulk_writer& writer, const contents& what) {
  std::vector<pd::block_nr> roots;
  for (std::uint32_t i = 0; i < what.nr_writesets; ++i) {
    roots.push_back(write_array<std::uint64_t>(writer, bitset_shape(what), bit_stream(what, i)));
  }
  pd::btree_builder tree(writer, era::writeset_value_size);
  for (std::uint32_t i = 0; i < what.nr_writesets; ++i) {
    std::byte value[era::writeset_value_size];
    era::encode_writeset({what.era_of_writeset(i), what.nr_blocks, roots[i]}, value);
    tree.add(what.era_of_writeset(i), value);
  }
  return tree.finish();
}

// Only counts.
class counting_device final : public pd::block_device {
 public:
  explicit counting_device(pd::block_nr nr_blocks) : nr_blocks_(nr_blocks) {}

  pd::block_nr nr_blocks() const override { return nr_blocks_; }
  const std::string& name() const override { return name_; }
  void read(std::span<pd::read_request>) override {}
  void write(std::span<const pd::write_request> batch) override { nr_written_ += batch.size(); }
  void flush() override {}

  pd::block_nr nr_written() const { return nr_written_; }

 private:
  pd::block_nr nr_blocks_;
  pd::block_nr nr_written_ = 0;
  std::string name_ = "metadata";
};

void write_superblock(pd::block_device& device, const era::superblock& live) {
  pd::block_buffer block(1);
  era::encode_superblock(live, block.block(0));
  pd::seal_block(era::superblock_block, 0, block.block(0));
  const pd::write_request request{0, block.block(0)};
  device.write({&request, 1});
  device.flush();
}

}  // namespace

pd::block_nr blocks_needed(const contents& what) {
  const std::uint64_t array_blocks = era_array_shape(what).nr_array_blocks() +
                                     what.nr_writesets * bitset_shape(what).nr_array_blocks();
  // Nodes hold over 100 entries, but for the last ones of each level of each tree.
  const std::uint64_t nodes = array_blocks / 100 + 4 * (std::uint64_t{what.nr_writesets} + 2);
  const std::uint64_t bitmaps = (array_blocks + nodes) / (pd::counts_per_bitmap - 1) + 1;
  return 3 + array_blocks + nodes + bitmaps;
}

pd::block_nr blocks_used(const contents& what, pd::block_nr device_size) {
  counting_device counting(device_size);
  write_image(counting, what);
  return counting.nr_written();
}

void write_image(pd::block_device& device, const contents& what) {
  pd::bulk_writer writer(device, 1, nullptr);
  era::superblock live;
  live.data_block_size = what.block_size;
  live.nr_blocks = what.nr_blocks;
  live.current_era = what.current_era;
  live.writeset_tree_root = write_writesets(writer, what);
  live.era_array_root = write_array<std::uint32_t>(writer, era_array_shape(what), era_stream(what));
  const std::vector<std::uint32_t> counts(writer.next(), 1);
  live.space_map = pd::write_space_map(writer, counts);
  writer.flush();
  write_superblock(device, live);
}

}  // namespace bench
