// Sound metadata of all kinds, made by the target, with scripts for a simulation, and by a restore.
// Thread safe: no state.
#pragma once

#include <string>
#include <vector>

#include "fuzzing/sparse_device.h"

namespace fuzz {

struct sample {
  std::string name;
  sparse_device device;
};

// Some as a target leaves them: with eras in the tree, open or closed, with a metadata snapshot,
// resized, with so many eras that the tree has two levels. Others restored: with so many blocks
// that the era array's tree has two levels; on a device with two bitmaps.
std::vector<sample> make_samples();

// The scripts that the first ones come from.
struct sample_script {
  const char* name;
  std::string text;
};
std::vector<sample_script> sample_scripts();

}  // namespace fuzz
