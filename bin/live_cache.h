// A live cache whose stale blocks are looked for and invalidated.
//
// All of it wants passthrough mode: then the kernel promotes nothing, so that the mappings on disk
// are all there are, and nothing is dirty. They can only become fewer. What is sent to the device
// is sent to one that is not suspended. Not thread safe.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "device-mapper/cache_device.h"
#include "device-mapper/devices.h"
#include "era/rollback/stale_blocks.h"
#include "persistent-data/block_device.h"

namespace cli {

class live_cache {
 public:
  // Opens the metadata device that a table names as MAJOR:MINOR; the cache has it in use.
  using metadata_opener =
      std::function<std::unique_ptr<pd::block_device>(const std::string& number)>;

  // Throws base::io_error if there is no such device, and base::data_error if it is not a cache, is
  // suspended, is not in passthrough mode, or has failed.
  live_cache(dm::devices& devices, const std::string& name_or_path, metadata_opener open_metadata);

  const std::string& name() const { return target_.name; }

  // Throws base::data_error if the cache is not right above the device of this number, which is
  // called `device`.
  void require_above(dev_t number, const std::string& device) const;

  // Reads the mappings; anew, where the kernel changed them meanwhile. Throws what the constructor
  // does; base::data_error where that does not end, for damage, and where list and cache can't be
  // of one origin.
  era::stale_blocks find_stale(const era::changed_blocks& changed);

  // Has the kernel drop these blocks, and looks whether it did. The same errors, and
  // base::io_error where it refuses; some of them may be dropped by then, which does no harm.
  void invalidate(const era::stale_blocks& stale, const era::changed_blocks& changed);

 private:
  dm::cache_status require_passthrough();
  void require_same_origin(const era::changed_blocks& changed) const;
  era::stale_blocks read(pd::block_device& metadata, const dm::cache_status& status,
                         const era::changed_blocks& changed) const;

  dm::devices& devices_;
  metadata_opener open_metadata_;
  dm::live_target target_;
  dm::cache_table table_;
};

}  // namespace cli
