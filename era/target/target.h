// The era target: what the Linux kernel's dm-era does, in process (doc/target.md). It passes
// requests on to an origin and records in metadata in which era each data block was last written.
//
// Life: construct (formats or opens) → resume → requests, messages, status → suspend → resume … →
// destroy. Destroying does nothing to the devices, as a power cut does nothing: to remove a target
// in good order, suspend it first.
//
// The promise: the mark of a block is on stable storage before the first write of an era to it is
// sent to the origin. Such writes wait until work() is called; nothing runs by itself, so that a
// test can stop it anywhere.
//
// Where the kernel would lose something, this does not follow it: after a failed operation nothing
// more is committed until the target is constructed again, and a table that was loaded while
// another target changed the metadata reads it again at its resume.
//
// Memory: one bit a data block, for the blocks marked in this era, and what live_metadata needs. A
// second bitset, as the kernel has for the era to come, would be of use only if marks went on while
// an era ends.
//
// Not thread safe. Code that carries requests out itself, side by side, goes by is_marked(),
// commit_marks() and note_marked() instead of map() and work(), and lets no write be under way
// while an era begins: the writes of an era are over when it is.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "era/target/live_metadata.h"
#include "era/target/origin.h"

namespace era {

// What the device mapper answers to what it does not take. Nothing has happened.
class refused : public base::error {
 public:
  explicit refused(const std::string& text, const std::string& detail = "")
      : error(detail.empty() ? text : text + ": " + detail) {}
};

// "<start> <length> era <metadata dev> <origin dev> <block size>", in sectors.
struct table_line {
  std::uint64_t length;  // sectors
  std::string metadata;
  std::string origin;
  std::string block_size;  // as given; the target checks it after the devices, as the kernel does
};

// Throws refused.
table_line parse_table_line(std::string_view line);

enum class target_message { checkpoint, take_metadata_snap, drop_metadata_snap };

// In any case, without arguments. Throws refused.
target_message parse_message(std::string_view text);

// What `dmsetup status` prints of a device of `length` sectors, with so many blocks of its metadata
// in use.
std::string status_line(std::uint64_t length, pd::block_nr used, pd::block_nr total,
                        const superblock& current);

// Finds devices by the names that stand in table lines. What it returns must stay as long as a
// target uses it. Throws base::io_error where there is no such device.
class device_finder {
 public:
  virtual ~device_finder() = default;
  virtual pd::block_device& metadata(const std::string& name) = 0;
  virtual era::origin& origin(const std::string& name) = 0;
};

struct request {
  enum class kind { read, write, write_zeroes, discard, flush };
  kind what;
  std::uint64_t sector = 0;
  std::uint64_t nr_sectors = 0;
  std::span<std::byte> into = {};        // of a read, nr_sectors long
  std::span<const std::byte> from = {};  // of a write; must stay until it has been carried out
};

class target {
 public:
  // Throws refused with the kernel's texts.
  target(const table_line& table, device_finder& devices);

  const table_line& table() const { return table_; }
  bool is_running() const { return running_; }
  std::uint32_t current_era() const { return metadata_->current_superblock().current_era; }

  // What the last successful commit says, whether there can be none any more, and what failed first
  // then.
  const superblock& last_commit() const { return metadata_->current_superblock(); }
  bool has_failed() const { return metadata_->failed(); }
  const std::string& failure() const { return metadata_->failure(); }

  std::uint64_t nr_blocks() const { return nr_blocks_; }
  std::uint32_t block_size() const { return block_size_; }  // sectors

  // Gives the metadata the length of the table, and begins an era. Throws base::io_error or
  // base::data_error; the target is then not running.
  void resume();

  // Ends the era. The target is not running afterwards, even if it throws.
  void suspend();

  // Takes a request. Reads, flushes and writes to blocks that are marked in this era are carried
  // out at once, other writes by work(). Throws refused if the target is not running or the
  // request goes beyond its end, base::io_error where the origin fails, std::invalid_argument where
  // a span is not as long as the request.
  void map(const request& wanted);

  // Marks the blocks of all waiting writes, commits, and only then sends them. If that fails none
  // of them is sent, and base::io_error is thrown.
  void work();

  // Forgets the writes that wait, as if they had failed.
  void drop_waiting() { waiting_.clear(); }

  // Whether all these blocks are marked in this era, and whether any block is.
  bool is_marked(const block_range& blocks) const;
  bool has_marks() const { return has_marks_; }

  // Marks the blocks and commits. They count as marked once note_marked() has been called, which
  // takes no more than memory. Throws as work().
  void commit_marks(std::span<const block_range> ranges) { metadata_->mark(ranges); }
  void note_marked(std::span<const block_range> ranges);

  // One step of the digestion of archived eras; false if there is nothing left to do. Its work is
  // committed with whatever commit comes next.
  bool step();

  // What digestion did so far becomes permanent.
  void commit();

  // Throws refused where the text or the time is wrong, or as resume().
  void message(std::string_view text);

  // What `dmsetup status` and `dmsetup table` print. Reading the status causes a commit after it;
  // if that fails, it says "Error", and failure() why.
  std::string status_info();
  std::string status_table() const;

 private:
  // A part of a write; of a discard, all of it, and then only its first block counts.
  struct waiting_write {
    request part;
    block_range blocks;
  };

  void open_metadata();
  void require_running() const;
  void begin_era();
  void forget_marks();
  void map_write(const request& wanted);
  void map_run(const request& wanted, const block_range& run, bool marked);
  void send(const request& part);
  std::uint64_t end_of_run(std::uint64_t first, std::uint64_t end) const;

  table_line table_;
  pd::block_device* metadata_device_;
  origin* origin_;
  std::uint32_t block_size_ = 0;
  std::uint64_t nr_blocks_ = 0;
  std::unique_ptr<live_metadata> metadata_;
  std::vector<bool> marked_;  // in this era, and committed
  bool has_marks_ = false;
  std::vector<waiting_write> waiting_;
  bool running_ = false;
};

}  // namespace era
