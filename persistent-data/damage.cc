#include "persistent-data/damage.h"

namespace pd {
namespace {

std::string message_for(const std::string& file, block_nr block, const std::string& what) {
  return file + ": block " + std::to_string(block) + ": " + what + ".";
}

}  // namespace

void refuse_damage(const std::string& file, block_nr block, const std::string& what) {
  throw change_refused(message_for(file, block, what));
}

void refuse_damage(const std::string& file, const damage& found) {
  throw change_refused(message_for(file, found.block, found.what), found.kind);
}

}  // namespace pd
