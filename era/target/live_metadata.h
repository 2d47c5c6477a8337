// Era metadata that is being changed: what a target does to it (doc/format.md 5, 7, 8 and 9), with
// nothing known of requests, tables and messages. It begins and ends eras, marks blocks, digests
// archived writesets, takes and drops the metadata snapshot.
//
// Each function but digest_step() commits what it did, and with it whatever digestion did before.
// A function that throws (base::io_error, base::data_error) leaves the last commit on the device
// and this object failed: it changes nothing any more, and every function throws. The way on is to
// open the device again. Half-done work thus never reaches the device.
//
// Memory: the caches of the transaction manager, nothing that grows with the device. Not thread
// safe.
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string>

#include "era/format/block_range.h"
#include "era/format/era_array.h"
#include "era/format/superblock.h"
#include "era/format/writeset.h"
#include "persistent-data/array_editor.h"
#include "persistent-data/bitset_editor.h"
#include "persistent-data/transaction_manager.h"

namespace era {

class live_metadata {
 public:
  // Opens the metadata on `device`, which must stay. Block 0 all zero means that it is to be
  // formatted for data blocks of `data_block_size` sectors; unlike the kernel, this formats in the
  // order of any commit, so that a power cut leaves zeros in block 0 or complete metadata. Throws
  // base::data_error if block 0 is neither zero nor sound, the space map is damaged, or eras are
  // archived that the superblock has no room for: later than its own, or of no data blocks.
  live_metadata(pd::block_device& device, std::uint32_t data_block_size);
  live_metadata(const live_metadata&) = delete;
  live_metadata& operator=(const live_metadata&) = delete;

  // As of the last successful call.
  const superblock& current_superblock() const { return superblock_; }
  pd::block_nr used_blocks() const { return transaction_.used(); }
  pd::block_nr total_blocks() const { return transaction_.total(); }
  bool failed() const { return failed_; }

  // What failed first; empty if nothing did.
  const std::string& failure() const { return failure_; }

  // Whether block 0 still holds the last commit of this object: no one else has committed since.
  bool is_last_commit_on_device();

  // The current era as block 0 has it; empty if it can't be read.
  std::optional<std::uint32_t> era_on_device();

  // Gives the era array another length, at most max_data_blocks.
  void resize(std::uint32_t nr_blocks);

  // Archives the current writeset, if there is one, and begins the next era with an empty one.
  void begin_era();

  // Archives the current writeset; no era is open after it.
  void end_era();

  // Sets the bits of data blocks, all below the current writeset's length, in the current writeset.
  void mark(std::span<const block_range> ranges);

  // Keeps all archived eras in a metadata snapshot. There must be none yet. It is to be taken right
  // after an era has begun, so that nothing is missing from it but that era.
  void take_snapshot();

  // There must be one.
  void drop_snapshot();

  // One step of digestion: finds the lowest archived era, or carries 100 bits of it over into the
  // era array, or drops it. False if nothing is archived. Commits nothing.
  bool digest_step();

  void commit();

 private:
  static constexpr std::uint32_t bits_in_a_step = 100;

  // An archived writeset on its way into the era array.
  struct digest {
    std::uint32_t era;
    pd::block_nr root;
    std::uint32_t nr_bits;
    std::uint32_t next_bit;
    std::uint32_t end_bit;
  };

  // A transaction manager and the superblock that goes with it.
  struct opened {
    pd::transaction_manager transaction;
    superblock live;
  };

  live_metadata(pd::block_device& device, opened from);
  static opened open(pd::block_device& device, std::uint32_t data_block_size);
  static opened format(pd::block_device& device, std::uint32_t data_block_size);

  // Runs one of the functions above; if it throws, all is over.
  void attempt(const std::function<void()>& operation);

  pd::array_editor era_array() {
    return {transaction_, era_array_root(superblock_.era_array_root, superblock_.nr_blocks)};
  }
  pd::btree_editor writeset_tree();
  void write_commit();
  void archive_current();
  void open_next_era();
  void clone_for_snapshot();
  void release_snapshot();
  [[noreturn]] void refuse_writeset_tree(problem_code code, std::uint64_t era,
                                         const std::string& what) const;
  bool find_lowest_archived();
  void carry_over(digest& present);
  void drop_digested(const digest& present);

  pd::block_device& device_;
  pd::transaction_manager transaction_;
  superblock superblock_;
  std::optional<digest> digest_;
  bool failed_ = false;
  std::string failure_;
};

}  // namespace era
