// The last step of a result: all of a temporary file becomes all of another file, or the beginning
// of a block device. And what a file has besides its bytes. Thread safe: no state.
#pragma once

#include <sys/stat.h>

#include <string>

namespace base {

// Gives `to`, a new file that only its owner may open, the owner, group and mode of `from`, whose
// stat is `info`, without setuid and setgid. False if it can't be made alike in everything,
// extended attributes (access lists) included; then it is no more open than it was.
bool make_alike(int to, int from, const struct stat& info);

// Copies all bytes of the file `from` into the regular file or block device `to`, called `name`,
// and puts them on stable storage. Where there is no room for them, nothing is touched. The first
// bytes are written last: if it ends in between, the result begins with zeros, and nobody takes its
// beginning for the whole. Throws io_error.
void copy_whole(int from, int to, const std::string& name);

}  // namespace base
