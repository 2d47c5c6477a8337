// What lies on a file or device, in words, so that a wrong one is noticed before something is
// written over it: libblkid knows file systems, volumes and partition tables, and some kinds of
// files are known here. Thread safe: no state.
#pragma once

#include <string>
#include <string_view>

namespace base {

// "an ext4 file system", "a GPT partition table", "a tar archive"; empty if nothing is known. What
// can't be read in full, or bears the marks of several things, is told as such. The descriptor
// must be open for reading; no other read of it may be under way.
std::string content_of(int fd);

// Whether a text that is known not to be binary begins as XML does.
bool looks_like_xml(std::string_view bytes);

}  // namespace base
