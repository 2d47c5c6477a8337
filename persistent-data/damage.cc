#include "persistent-data/damage.h"

#include "base/error.h"

namespace pd {

void refuse_damage(const std::string& file, block_nr block, const std::string& what) {
  throw base::data_error(file + ": block " + std::to_string(block) + ": " + what + ".");
}

}  // namespace pd
