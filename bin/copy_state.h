// What a copy remembers in the state file (--since-file): until it is complete, that it is in
// progress, so that a target which is half-way is never taken for a whole one; then the era to ask
// for next time. One copy at a time has the file: it is locked, and where a write replaces it, so
// is the new one. Not thread safe.
#pragma once

#include <optional>
#include <string>

#include "base/file_handle.h"
#include "bin/command_line.h"
#include "era/list/written_list.h"

namespace cli {

class copy_state {
 public:
  // Of --since-file, if that is given. Throws what read_since_file() does, and base::io_error where
  // another copy has the file.
  explicit copy_state(const arguments& given);

  bool has_file() const { return !path_.empty(); }
  const std::string& path() const { return path_; }
  const std::optional<era::since_state>& last() const { return last_; }

  // The target is about to be written to. An interrupted copy is to be repeated from the same era,
  // or from nothing if this is the first. These three throw base::io_error, and do nothing without
  // a file.
  void begin(const era::since_state& reached);
  void complete(const era::since_state& reached);

  // The copy goes to where this program can't see it: the state waits to be committed
  // (--commit-since).
  void wait(const era::since_state& reached);

 private:
  void lock();
  void require_ours() const;
  void replace(const era::since_state& state);

  std::string path_;
  base::file_handle locked_;  // not open where there is no file yet
  std::optional<era::since_state> last_;
};

}  // namespace cli
