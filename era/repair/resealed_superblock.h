// A superblock with a wrong checksum that can be proved right all the same.
//
// Nothing in block 0 can be believed by itself then. But if everything that it names is sound, and
// the space map that it names counts exactly the references that its trees make, no more and no
// fewer, then these roots and this space map were committed together, and by the commit that wrote
// block 0: another root would leave blocks unreferenced that the map counts, or the reverse. The
// lengths follow from the arrays, and the current era from the archived ones (doc/format.md
// 5, 7.1). What nothing shows is the size of a data block. Not thread safe.
#pragma once

#include <optional>

#include "base/progress.h"
#include "era/format/superblock.h"
#include "persistent-data/block_device.h"

namespace era {

// What a device would be with another superblock, which is sealed, in block 0; for reading only.
// The device must stay.
class device_with_superblock final : public pd::block_device {
 public:
  device_with_superblock(pd::block_device& below, const superblock& instead);

  block_nr nr_blocks() const override { return below_.nr_blocks(); }
  const std::string& name() const override { return below_.name(); }
  void read(std::span<pd::read_request> batch) override;
  void write(std::span<const pd::write_request> batch) override;
  void flush() override { below_.flush(); }
  void require_unchanged() override { below_.require_unchanged(); }

 private:
  pd::block_device& below_;
  pd::block_buffer superblock_{1};
};

// Block 0 of the device without what is unproved and meaningless (flags, bytes not in use), if all
// else of it is proved. Empty if it is not, or if its checksum is right. Reads all of the metadata
// once if there is a chance.
std::optional<superblock> find_resealed_superblock(pd::block_device& device,
                                                   base::progress& progress);

}  // namespace era
