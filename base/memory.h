// Whether there is any memory left. Thread safe: no state.
#pragma once

namespace base {

// Whether an exception can be thrown now, which takes memory too. The C++ library sets some aside
// as it is loaded; where there was none, throwing ends the process, and so does the `new` that does
// not throw.
bool can_throw();

}  // namespace base
