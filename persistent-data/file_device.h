// A block device on a regular file or a block device of the system, by libaio.
//
// Reads and writes go past the page cache (O_DIRECT) where the file system allows it: a live
// device's metadata is written beneath the page cache, so only direct reads see it. A regular file
// is one with its page cache; what is there is taken from there. A batch is sorted, neighbours are
// merged into large requests, and where that pays many are kept in flight.
//
// A block device is held with O_EXCL; a regular file with a lock that our own tools heed, and what
// others write to it while it is read shows in require_unchanged(). Not thread safe.
#pragma once

#include <libaio.h>

#include <string>
#include <vector>

#include "base/cache_credit.h"
#include "base/change_watch.h"
#include "base/file_handle.h"
#include "base/storage.h"
#include "persistent-data/block_device.h"

namespace pd {

class file_device final : public block_device {
 public:
  enum class sharing {
    exclusive,  // what is mounted, mapped or being written to by one of our tools is refused
    shared      // it may be live
  };

  static constexpr const char* busy_advice =
      "It is mounted or mapped: deactivate what uses it first.";

  // Opens for reading only. Throws base::io_error if `path` does not exist, is not a regular file
  // or block device, or is in use; `if_busy` is what to do then.
  static file_device open_for_reading(const std::string& path, sharing how,
                                      const std::string& if_busy = busy_advice);

  // Opens for reading and writing, exclusively. The same errors, and one for a file that a loop
  // device has attached; `if_missing` is what to do where there is no such file.
  static file_device open_for_writing(const std::string& path, const std::string& if_missing = "");

  file_device(file_device&& other) noexcept;
  file_device& operator=(file_device&&) = delete;
  ~file_device() override;

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

  // Whether this is the file or device that `fd` has open.
  bool is_same_file(int fd) const;

  // The bytes of block 0, fewer where the file ends before.
  std::string first_bytes();

 private:
  struct transfer;
  struct plan;

  file_device(std::string path, const base::storage_opening& how);

  void hold(const base::storage_opening& how);
  void watch(const base::storage_opening& how, bool is_regular);
  void write_rest(const plan& all, const transfer& begun);
  bool read_cached(const plan& all, transfer& one);
  void read_singly(std::span<read_request* const> requests);
  bool has_aio();
  void run(plan& all, bool writing);
  void run_sync(const plan& all, std::span<transfer* const> transfers, bool writing);
  void run_async(const plan& all, std::span<transfer* const> transfers, bool writing);

  std::string name_;
  base::file_handle file_;
  base::file_handle
      cached_;  // a regular file by way of the page cache; closed if that pays no more
  base::cache_credit cache_credit_;
  std::size_t transfers_so_far_ = 0;  // that went to the disk
  block_buffer gap_{1};               // takes what was not asked for
  std::uint64_t size_in_bytes_ = 0;
  base::change_watch watch_;
  std::string first_before_;    // block 0 when it was opened; empty: not looked at
  io_context_t aio_ = nullptr;  // null: not needed so far
  bool aio_refused_ = false;    // this system has no aio to give; requests go one by one
};

}  // namespace pd
