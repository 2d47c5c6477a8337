// Writes new metadata in bulk from contents, the superblock last (doc/format.md 9): a sink of
// era/contents.h for every source.
//
// Order on the device: a mark that nothing takes for metadata into block 0, flush; everything else,
// flush; the superblock, flush. Nothing is written before the facts are known and the device is
// known to have room for the era array, nor while the whole fits into 16 MiB and is not complete.
// What is interrupted thus leaves either the device as it was or the mark. Memory does not depend
// on the contents, but for 8 bytes a metadata block. Not thread safe.
//
// Contents whose era array has a later era than the oldest writeset are refused: when the target
// digests that writeset it would lower the era of blocks (doc/format.md 5). What a target has
// written never says so.
#pragma once

#include <map>
#include <memory>
#include <span>

#include "era/build/array_filler.h"
#include "era/contents.h"
#include "era/format/superblock.h"
#include "era/format/writeset.h"
#include "persistent-data/bulk_writer.h"

namespace era {

class metadata_builder final : public contents_sink {
 public:
  // What becomes of the writeset of the current era: it is archived, or left open as it is while a
  // target is at work.
  enum class current_writeset { archived, open };

  // The device must stay.
  explicit metadata_builder(pd::block_device& device,
                            current_writeset current = current_writeset::archived);

  // All throw base::io_error where the device fails or has no room, and contents_conflict where a
  // writeset is older than an element of the era array, or something is given twice: a writeset, or
  // a block, which may show as late as at the end of its element.
  void begin(const superblock_facts& facts) override;
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) override;
  void bits(std::span<const contents_run> runs) override { bits_->put(runs); }
  void bits(window_ptr window) override;
  void end_writeset() override;
  void eras(std::span<const contents_run> runs) override;
  void eras(window_ptr window) override;
  void end() override;

 private:
  void check_room() const;
  void note_latest(const contents_run& run);
  void refuse_lowered_eras() const;

  pd::block_device& device_;
  current_writeset current_;
  pd::bulk_writer writer_;
  superblock superblock_;
  std::uint64_t array_blocks_ = 0;  // of all arrays announced so far, with their trees
  std::unique_ptr<array_filler> eras_;
  contents_run latest_;  // of the elements of the era array so far
  std::unique_ptr<array_filler> bits_;
  std::map<std::uint32_t, writeset> writesets_;  // by era
  std::map<std::uint32_t, writeset>::iterator present_ = writesets_.end();
};

// The first and the last steps of the builder, for those that lay out metadata by hand.

// Puts the mark into block 0, on stable storage. Throws base::io_error.
void write_mark(pd::block_device& device);

// Writes block 0 when all else is on stable storage. Throws base::io_error where the device fails;
// then the mark is put back, where the device still takes it: of metadata that may not be on stable
// storage nobody must think that it is.
void write_block_0_last(pd::block_device& device, const std::byte* block);

// Writes the tree of these writesets, ascending by era, and returns its root.
block_nr write_writeset_tree(pd::bulk_writer& writer, std::span<const writeset> sets);

// Writes the space map, given the reference counts of the blocks so far, from block 0 on, then
// flushes, writes `from` with that space map into block 0 and flushes again. Throws base::io_error
// where the device fails.
superblock finish_metadata(pd::bulk_writer& writer, superblock from,
                           std::span<const std::uint32_t> counts);

}  // namespace era
