// What the C interface opens: metadata, and the snapshot of a live device that is held meanwhile.
// Not thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "device-mapper/held_snapshot.h"
#include "era/list/written_list.h"
#include "era/read/era_reader.h"
#include "era/read/metadata_file.h"
#include "persistent-data/file_device.h"

namespace library {

class opened_metadata {
 public:
  // Both throw what reading metadata throws. A snapshot that was taken is dropped again then.
  static std::unique_ptr<opened_metadata> open(const std::string& path, era::metadata_state which);
  static std::unique_ptr<opened_metadata> open_live(const std::string& name, bool replace_snapshot);

  ~opened_metadata();
  opened_metadata(const opened_metadata&) = delete;
  opened_metadata& operator=(const opened_metadata&) = delete;

  // Drops the snapshot. Throws base::error if that can't be done.
  void close();

  const era::superblock& superblock() const { return loaded_.superblock; }
  bool is_open() const { return loaded_.has_current; }
  std::uint32_t next_since() const;
  std::uint64_t device_bytes() const;

  // `device_bytes`: 0 where that is not known.
  era::written_list changes_since(std::uint32_t since, std::uint64_t device_bytes);

  // Of blocks below nr_blocks.
  void last_written(std::uint64_t first, std::span<std::uint32_t> eras);

 private:
  struct live;  // a device with its snapshot, which was taken before anything is read
  struct verified_state;

  opened_metadata(std::unique_ptr<live> device, pd::file_device metadata,
                  era::metadata_state which);

  std::unique_ptr<verified_state> verified();
  void require_sound();

  std::unique_ptr<live> live_;  // null for a file
  pd::file_device device_;
  era::metadata_file file_;
  era::strict_sink strict_;
  era::metadata loaded_;
  std::unique_ptr<verified_state> verified_;  // null until eras are asked for
  std::vector<std::uint32_t> window_;
};

}  // namespace library
