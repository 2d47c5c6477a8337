// The devices of a target under test: its metadata, and an origin of any size that keeps nothing.
// Not thread safe.
#pragma once

#include <string>

#include "era/target/hollow_origin_test_support.h"
#include "era/target/target.h"

namespace fuzz {

// Whatever a table line calls them.
class target_devices final : public era::device_finder {
 public:
  // The metadata must stay.
  target_devices(pd::block_device& metadata, std::uint64_t origin_sectors)
      : metadata_(metadata), origin_(origin_sectors) {}
  pd::block_device& metadata(const std::string& /*name*/) override { return metadata_; }
  era::origin& origin(const std::string& /*name*/) override { return origin_; }

 private:
  pd::block_device& metadata_;
  era::test::hollow_origin origin_;
};

}  // namespace fuzz
