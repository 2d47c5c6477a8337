// Changes images as only someone would who knows the format: fields of a block by its kind, to
// values that mean something there, and whole blocks. The counts of the space map are not put
// right, except where a block moves to another place. Thread safe: no state but the caller's.
#pragma once

#include <random>

#include "fuzzing/image.h"

namespace fuzz {

using random_source = std::minstd_rand;

// One change.
void mutate(image& what, random_source& random);

// Takes some blocks of `other`: as if they were older, or newer, versions of the same blocks.
void mix(image& what, const image& other, random_source& random);

}  // namespace fuzz
