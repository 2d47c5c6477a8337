// What must hold of any metadata, whatever is wrong with it. A fuzz target makes metadata and calls
// one of these; where an invariant is broken, the process ends with a message that says which.
// Anything but an exception of base/error.h that comes out of the readers breaks one too, since
// nothing catches it. Not thread safe.
#pragma once

#include <optional>
#include <string>

#include "fuzzing/recorded_contents.h"
#include "fuzzing/sparse_device.h"

namespace fuzz {

// Ends the process with a message.
[[noreturn]] void broken(const std::string& invariant, const std::string& details);

// The same, if it does not hold.
void require(bool holds, const std::string& invariant, const std::string& details = "");

// Of metadata with anything in it:
// - what a check finds sound is read by all: its dump, its lists, and those of its snapshot;
// - lists and the logical dump say of each block what the plain dump says;
// - a dump restored gives sound metadata with the same dump;
// - what is repaired is sound, and no block's era is earlier than a reader would have it;
// - a target goes on from sound metadata, leaves it sound, and forgets nothing.
void check_metadata(const sparse_device& device);

// Of metadata that was sound once and held `before`, and was damaged in a way that checksums show.
// `damaged` is the device with the damage, on which blocks may be unreadable:
// - a list is refused, or holds all blocks that it held before;
// - a list that goes on past damage holds them too;
// - what is repaired is sound, and no block's era is earlier than before; it can be repaired
//   whatever is lost, if the caller knows how long it was;
// - a target refuses to work, or forgets nothing.
void check_damaged(pd::block_device& damaged, const recorded_contents& before);

// Of metadata that a target made: it is sound. Returns what it holds.
recorded_contents check_sound(pd::block_device& device);

// Of metadata restored from a document that was accepted: it is sound. Returns what it holds, or
// nothing where an era is missing, since no dump shows that.
std::optional<recorded_contents> check_restored(pd::block_device& device);

}  // namespace fuzz
