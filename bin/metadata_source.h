// Where the tools that read metadata read it: a device or file, or a live era device (--live NAME),
// of which a metadata snapshot is taken, read, and dropped again.
//
// The snapshot is dropped on every way out: by finish(), which says so if that fails; by the
// destructor; by signals that end the tool; and after a SIGKILL (device-mapper/held_snapshot.h).
// Make it while there is one thread. Not thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "device-mapper/held_snapshot.h"
#include "era/read/metadata.h"
#include "persistent-data/file_device.h"

namespace cli {

// Its options, for the table of a tool.
constexpr option live_option{0, "live", "NAME",
                             "read the live era device NAME, by a metadata snapshot of its own"};
constexpr option keep_option{0, "keep", nullptr,
                             "with --live: leave the metadata snapshot there, for further use"};
constexpr option replace_snapshot_option{
    0, "replace-snapshot", nullptr,
    "with --live: drop the metadata snapshot that is there, and take a new one"};

// Throws base::usage_error for a file and a live device together, or for neither.
void require_source(const arguments& given);

class metadata_source {
 public:
  // Opens what the command line names, which require_source() or the tool itself found to be right,
  // and takes the snapshot of a live device. Throws what open_metadata() throws, and for a live
  // device base::io_error or base::data_error, after which nothing is held.
  metadata_source(const arguments& given, const command& tool);
  metadata_source(const metadata_source&) = delete;
  metadata_source& operator=(const metadata_source&) = delete;
  ~metadata_source();

  pd::file_device& device() { return device_; }
  // The file, or the node of the metadata device: what messages are about, and what an output must
  // not be.
  const std::string& name() const { return device_.name(); }
  era::metadata_state state() const { return state_; }

  // Bytes of the live era device; none for a file, which does not say.
  std::optional<std::uint64_t> live_bytes() const;
  // The number of the live era device itself; none for a file.
  std::optional<dev_t> live_number() const;

  // All has been read: throws base::data_error if a file was changed meanwhile, and drops the
  // snapshot that was taken (or keeps it, with --keep). Call it before success is reported and
  // output committed. Throws base::io_error or base::data_error if the snapshot cannot be dropped.
  void finish();

 private:
  struct live;  // device and snapshot

  static std::unique_ptr<live> find_live(const arguments& given);
  metadata_source(const arguments& given, const command& tool, std::unique_ptr<live> from);

  std::unique_ptr<live> live_;  // null for a file
  era::metadata_state state_;
  pd::file_device device_;
  bool keep_ = false;
};

}  // namespace cli
