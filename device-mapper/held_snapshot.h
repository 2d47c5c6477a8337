// A metadata snapshot of a live era device, taken by this object and dropped again on every way
// out: by drop(), which says if that fails; by the destructor; by INT, TERM, HUP and QUIT, before
// they end the process; and after a SIGKILL, a moment later. The last three are a guardian's work
// (guardian.h).
//
// Only the snapshot that was taken here is dropped: it is known by its block. (If the process is
// killed in the moment of taking it, by there having been none before.) For as long as it is held,
// the metadata device's node is locked, which keeps other objects of this kind off, in all
// processes. Nothing is sent to a suspended device: the state is looked at first, always.
// Make it while there is one thread. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file_handle.h"
#include "device-mapper/era_device.h"
#include "device-mapper/guardian.h"

namespace dm {

// The device has a metadata snapshot already, which somebody else took.
class snapshot_held : public base::data_error {
 public:
  snapshot_held(const std::string& name, const era_status& status)
      : data_error(name + ": a metadata snapshot is held already"), status_(status) {}

  // Of the moment when it was seen, with the snapshot's block.
  const era_status& status() const { return status_; }

 private:
  era_status status_;
};

struct snapshot_options {
  bool replace = false;  // one that is held already is dropped first
  bool quiet = false;    // the guardian's failure is not told
};

class held_snapshot {
 public:
  // Takes it. Throws snapshot_held; base::data_error where the device is in use by another object
  // of this kind, suspended or failed; base::io_error where something is refused. Then nothing is
  // held by this object. `of` and `at` must stay.
  held_snapshot(devices& at, const era_device& of, const snapshot_options& how);

  // Drops it, unless somebody else has. Throws base::io_error if that cannot be done; then it is
  // left, and the message says how to drop it.
  void drop();

  // It stays held, whatever comes. Nothing follows.
  void keep();

 private:
  void require_none(bool replace);
  void take();

  devices& at_;
  const era_device& of_;
  base::file_handle lock_;
  std::optional<guardian> guardian_;
  std::uint64_t block_ = 0;
};

}  // namespace dm
