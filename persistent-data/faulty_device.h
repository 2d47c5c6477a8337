// A block device over another one that misbehaves on command: single blocks that can't be read or
// written, a device that fails after so many reads or writes, and a power cut that loses any part
// of what was not flushed, torn between 512-byte sectors (each sector is old or new as a whole).
//
// Until it is flushed, what was written lives only here; the device below holds what would be found
// after the worst power cut. Not thread safe.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "persistent-data/block_device.h"

namespace pd {

class faulty_device final : public block_device {
 public:
  explicit faulty_device(block_device& below) : below_(below) {}

  block_nr nr_blocks() const override { return below_.nr_blocks(); }
  const std::string& name() const override { return below_.name(); }
  void read(std::span<read_request> batch) override;
  void write(std::span<const write_request> batch) override;
  void flush() override;

  void fail_reads_of(block_nr where) { unreadable_.insert(where); }
  void fail_writes_of(block_nr where) { unwritable_.insert(where); }

  // After `count` more block reads the next one fails, or every one. What they leave in memory is
  // nothing that was on the device.
  void fail_read_after(std::uint64_t count);
  void fail_after_reads(std::uint64_t count);

  // After `count` more block writes every write and flush fails.
  void fail_after_writes(std::uint64_t count) { writes_left_ = count; }

  // Whether that has come to pass.
  bool has_failed() const { return has_failed_; }

  // Keeps at most `count` unflushed blocks: with one more, all are passed on to the device below,
  // as a disk's cache does at times. Without this memory grows with what is written between two
  // flushes.
  void keep_at_most(std::size_t count) { most_unflushed_ = count; }

  std::uint64_t reads_seen() const { return reads_seen_; }
  std::uint64_t writes_seen() const { return writes_seen_; }

  // Decides for each sector written since the last flush whether it survives, passes those on to
  // the device below and forgets the rest. The device works again after it.
  void cut_power(std::mt19937_64& random);

 private:
  using block_bytes = std::vector<std::byte>;

  bool read_fails(block_nr where);
  void write_one(const write_request& request);
  void pass_on();
  void refuse_if_failed();

  block_device& below_;
  std::map<block_nr, block_bytes> unflushed_;
  std::set<block_nr> unreadable_;
  std::set<block_nr> unwritable_;
  std::uint64_t reads_seen_ = 0;
  std::uint64_t first_failing_read_ = UINT64_MAX;  // from 0
  std::uint64_t end_of_failing_reads_ = UINT64_MAX;
  std::uint64_t writes_left_ = UINT64_MAX;
  std::uint64_t writes_seen_ = 0;
  std::size_t most_unflushed_ = SIZE_MAX;
  bool has_failed_ = false;
};

}  // namespace pd
