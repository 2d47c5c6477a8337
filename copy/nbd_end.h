// An NBD server as an end of a copy, by libnbd. The server is not trusted: it may be slow, refuse,
// say nonsense or go away, and each ends in an error.
//
// Zeros are sent as a command of their own where the server takes that, else as bytes. A request
// that is longer than the server takes is sent in parts. Not thread safe.
#pragma once

#include <chrono>
#include <memory>
#include <string>

#include "copy/endpoint.h"

namespace copy {

// Whether a target is spelt as an NBD server: nbd://, nbds://, nbd+unix:// and so on.
bool is_nbd_uri(const std::string& target);

// A server that answers nothing for so long, while something is asked of it, is given up. So is one
// with which connecting takes as long, or half a minute, even if it says something all the time.
inline constexpr std::chrono::seconds nbd_patience{60};

// Connects. Throws base::io_error where that can't be done, the server is read-only, or this
// program was built without libnbd.
std::unique_ptr<endpoint> connect_to_nbd(const std::string& uri,
                                         std::chrono::milliseconds patience = nbd_patience);

}  // namespace copy
