// The one way to standard error: what a user is told besides the result. It takes no memory, so it
// works where there is none. Thread safe.
#pragma once

#include <string_view>

namespace base {

// Writes `message` and a newline to standard error with as few writes as that takes, so that lines
// of several processes do not mix. Where standard error can't be written to, nobody can be told.
void say(std::string_view message);

// The same without the newline, for what is drawn on a terminal.
void draw(std::string_view text);

}  // namespace base
