// Has several threads make pieces of a long text and prints them in their order.
#pragma once

#include <functional>

#include "base/output.h"
#include "base/text.h"

namespace base {

// Appends one piece to an empty text.
using text_maker = std::function<void(text&)>;

// Prints what the makers that `next` returns make, up to the first empty one. `next` is called by
// one thread at a time, in order; the makers run side by side, on the threads of this call, as many
// as there are processors and at most eight, or `threads` if that is not 0. Memory is one piece for
// each thread. What a maker throws is thrown here, after all pieces before its own have gone to
// `out`, and so is a failure of `out`.
void print_in_order(output& out, const std::function<text_maker()>& next, unsigned threads = 0);

}  // namespace base
