#include "era/read/metadata.h"

namespace era {

std::optional<std::size_t> metadata::find_archived(std::uint32_t era) const {
  for (std::size_t i = 0; i < nr_archived(); ++i) {
    if (writesets[i].era == era) {
      return i;
    }
  }
  return std::nullopt;
}

pd::array_root metadata::root_of(std::size_t array) const {
  return is_era_array(array) ? era_array_root(superblock.era_array_root, superblock.nr_blocks)
                             : pd::bitset_root(writesets[array].root, writesets[array].nr_bits);
}

place metadata::place_of(std::size_t array) const {
  if (is_era_array(array)) {
    return {structure::era_array, is_snapshot(), 0, false};
  }
  return {structure::writeset, is_snapshot(), writesets[array].era, is_current(array)};
}

void metadata::report(std::size_t array, const pd::damage& found, problem_sink& sink) const {
  damage_in(place_of(array), sink, is_era_array(array) ? 0 : writesets[array].nr_bits)
      .damaged(found);
}

}  // namespace era
