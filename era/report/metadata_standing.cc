#include "era/report/metadata_standing.h"

namespace era {

metadata_standing standing_of(metadata_file& from, metadata_state which) {
  strict_sink strict(from.name());
  const metadata loaded = from.load(which, strict);
  const auto end_of_archived =
      loaded.writesets.begin() + static_cast<std::ptrdiff_t>(loaded.nr_archived());
  return {from.name(),
          loaded.is_snapshot(),
          loaded.has_current,
          {loaded.writesets.begin(), end_of_archived},
          loaded.is_snapshot() ? from.read_superblock(0, strict).value() : loaded.superblock};
}

}  // namespace era
