#include "bin/copy_state.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <cerrno>

#include "base/error.h"
#include "base/storage.h"
#include "bin/since_file.h"

namespace cli {

copy_state::copy_state(const arguments& given) : path_(given.value("since-file")) {
  if (has_file()) {
    lock();
    last_ = read_since_file(path_);
    require_ours();
  }
}

void copy_state::lock() {
  base::file_handle file(
      base::retry([&] { return ::open(path_.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); }));
  if (file.is_open()) {
    base::lock_file(file.fd(), base::lock::for_writing, path_);
  }
  locked_ = std::move(file);
}

// The name still leads to what is locked, or to nothing as before.
void copy_state::require_ours() const {
  struct stat named {};
  const bool is_there = ::stat(path_.c_str(), &named) == 0 || errno != ENOENT;
  const bool is_ours = is_there && locked_.is_open()
                           ? base::is_same_file(base::stat_of(locked_.fd(), path_), named)
                           : is_there == locked_.is_open();
  if (!is_ours) {
    throw base::io_error(path_ +
                         ": was replaced or removed while it was in use\n"
                         "Wait until nobody else uses it, and start again.");
  }
}

void copy_state::replace(const era::since_state& state) {
  require_ours();
  write_since_file(path_, state);
  locked_ = {};
  lock();
}

void copy_state::begin(const era::since_state& reached) {
  if (!has_file()) {
    return;
  }
  era::since_state begun = last_.value_or(reached);
  if (!last_) {
    begun.next_since = 0;
  }
  begun.current_era = reached.current_era;
  begun.in_progress = true;
  replace(begun);
}

void copy_state::complete(const era::since_state& reached) {
  if (has_file()) {
    replace(reached);
  }
}

void copy_state::wait(const era::since_state& reached) {
  if (has_file()) {
    write_since_file(pending_file_of(path_), reached);
  }
}

}  // namespace cli
