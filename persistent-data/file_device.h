// A block device on a regular file or a block device of the system.
//
// Reads and writes go past the page cache (O_DIRECT) where the file system allows it: a live
// device's metadata is written beneath the page cache, so only direct reads see it. A regular file
// is one with its page cache; what is there is taken from there. A batch is sorted, neighbours are
// merged into large requests, and where that pays many are kept in flight (base/io_queue.h).
//
// A block device is held with O_EXCL; a regular file with a lock that our own tools heed, and what
// others write to it while it is read shows in require_unchanged(). Not thread safe.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/cache_credit.h"
#include "base/change_watch.h"
#include "base/file_handle.h"
#include "base/io_queue.h"
#include "base/storage.h"
#include "persistent-data/block_device.h"

namespace pd {

class file_device final : public block_device {
 public:
  enum class sharing {
    exclusive,  // what is mounted, mapped or being written to by one of our tools is refused
    shared      // it may be live
  };

  // Opens for reading only. Throws base::io_error if `path` does not exist, is not a regular file
  // or block device, or is in use; `if_busy` is what to do then.
  static file_device open_for_reading(const std::string& path, sharing how,
                                      const std::string& if_busy = base::busy_advice);

  // Opens for reading and writing, exclusively. The same errors, and one for a file that a loop
  // device has attached; `if_missing` is what to do where there is no such file.
  static file_device open_for_writing(const std::string& path, const std::string& if_missing = "");

  // The same; but a file with packed blocks (packed_blocks.h) stands for the device that was
  // packed. Reading what could not be read then fails as it did. Throws what unpack_blocks() does,
  // too.
  static file_device open_perhaps_packed(const std::string& path, sharing how,
                                         const std::string& if_busy = base::busy_advice);

  // The same once more, for reading by another thread while this one is in use; what is written by
  // way of this one is not taken for a change. Throws base::io_error.
  file_device reopen_for_reading() const;

  file_device(file_device&& other) noexcept;
  file_device& operator=(file_device&&) = delete;
  ~file_device() override = default;

  block_nr nr_blocks() const override { return size_in_bytes_ / block_size; }
  std::uint64_t size_in_bytes() const { return size_in_bytes_; }
  const std::string& name() const override { return name_; }
  void read(std::span<read_request> batch) override;
  void write(std::span<const write_request> batch) override;
  void flush() override;
  std::string content() override;

  // Looks at the size and times of a regular file, or of the one beneath a loop device, and at
  // block 0 of what was opened exclusively. Does nothing if this was opened for writing.
  void require_unchanged() override;

  // For who is about to fork: requests are queued with the system for one process. They are queued
  // anew when that is needed.
  void forget_queue() { queue_.reset(); }

  // The bytes of block 0, fewer where the file ends before. Throws base::io_error where they can't
  // be read; the other returns none.
  std::string first_bytes();
  std::optional<std::string> first_bytes_if_readable();

 private:
  struct transfer;
  struct plan;

  file_device(const std::string& path, const base::storage_opening& how);
  file_device(std::string path, base::file_handle file);

  void watch(const base::storage_opening& how);
  void unpack();
  bool has_other_first_bytes();
  void write_rest(const plan& all, const transfer& begun);
  bool read_cached(const plan& all, transfer& one);
  void read_singly(std::span<read_request* const> requests);
  void run(plan& all, bool writing);
  void run_in_queue(const std::vector<base::io_request*>& requests);

  std::string name_;
  base::file_handle file_;
  base::file_handle
      cached_;  // a regular file by way of the page cache; closed if that pays no more
  base::cache_credit cache_credit_;
  std::size_t transfers_so_far_ = 0;  // that went to the disk
  block_buffer gap_{1};               // takes what was not asked for
  std::uint64_t size_in_bytes_ = 0;
  std::vector<block_nr> unreadable_;  // ascending
  base::change_watch watch_;
  // Block 0 when it was opened, empty if it could not be read; none: not looked at.
  std::optional<std::string> first_before_;
  std::unique_ptr<base::io_queue> queue_;  // null: not needed so far
};

}  // namespace pd
