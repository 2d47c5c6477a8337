#include "benchmarks/image.h"

#include <algorithm>

#include "era/build/metadata_builder.h"
#include "persistent-data/sizes.h"

namespace bench {
namespace {

// Finds out how far writing goes.
class measuring_device final : public pd::block_device {
 public:
  explicit measuring_device(pd::block_nr nr_blocks) : nr_blocks_(nr_blocks) {}

  pd::block_nr nr_blocks() const override { return nr_blocks_; }
  const std::string& name() const override { return name_; }
  void read(std::span<pd::read_request>) override {}
  void write(std::span<const pd::write_request> batch) override {
    for (const pd::write_request& one : batch) {
      end_ = std::max(end_, one.where + 1);
    }
  }
  void flush() override {}

  // The first block after all that were written.
  pd::block_nr end() const { return end_; }

 private:
  pd::block_nr nr_blocks_;
  pd::block_nr end_ = 0;
  std::string name_ = "metadata";
};

}  // namespace

pd::block_nr blocks_needed(const contents& what) {
  const std::uint64_t bitset = pd::bitset_blocks(what.nr_blocks);
  const std::uint64_t eras = pd::array_blocks(what.nr_blocks, era::era_size);
  return pd::device_blocks(1 + eras + what.nr_writesets * bitset +
                           pd::tree_blocks(what.nr_writesets, era::writeset_value_size));
}

pd::block_nr blocks_used(const contents& what, pd::block_nr device_size) {
  measuring_device measuring(device_size);
  write_image(measuring, what);
  return measuring.end();
}

void write_image(pd::block_device& device, const contents& what) {
  era::metadata_builder building(device);
  send(what, building);
}

}  // namespace bench
