// A file that is there only as long as it is needed: it goes away with its owner, and by a signal
// that ends the process (base/process.h). Not thread safe.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>

#include "base/file_handle.h"
#include "base/process.h"

namespace base {

class temporary_file {
 public:
  // A new file in the folder that the descriptor leads to, under a short name that nothing has, for
  // reading and writing; nobody else has it open. The umask takes from `mode` what it does. If the
  // system refuses, it is not open, and error() says why.
  temporary_file(file_handle folder, mode_t mode);
  ~temporary_file();
  temporary_file(const temporary_file&) = delete;
  temporary_file& operator=(const temporary_file&) = delete;

  bool is_open() const { return file_.is_open(); }
  int error() const { return error_; }
  int fd() const { return file_.fd(); }

  // Takes its name away: it is there until it is closed.
  void make_nameless();

  // Gives it the name `name` in its folder, in place of what has that; false, with errno set, where
  // that can't be done. It is temporary no more.
  bool rename_to(const std::string& name);

  // Makes sure that the folder knows it after a power cut. False, with errno set, where that fails.
  bool sync_folder() const;

 private:
  file_handle folder_;
  file_handle file_;
  int error_ = 0;
  std::string name_;
  std::optional<doomed_file> doomed_;  // as long as it has a temporary name
};

// A nameless temporary file for what concerns `path`: in the folder `beside`, if that can be had,
// else where temporary files belong. Throws io_error.
std::unique_ptr<temporary_file> make_spool(file_handle beside, const std::string& path);

}  // namespace base
