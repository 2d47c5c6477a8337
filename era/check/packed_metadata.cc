#include "era/check/packed_metadata.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/error.h"
#include "era/check/check.h"
#include "persistent-data/block_set.h"
#include "persistent-data/disk_space_map.h"

namespace era {
namespace {

// Passes on what is read, and remembers which blocks that was.
class watched_device final : public pd::block_device {
 public:
  explicit watched_device(pd::block_device& below) : below_(below), seen_(usable_blocks(below)) {}

  block_nr nr_blocks() const override { return below_.nr_blocks(); }
  const std::string& name() const override { return below_.name(); }
  void read(std::span<pd::read_request> batch) override {
    for (const pd::read_request& request : batch) {
      if (request.where < nr_seen()) {
        seen_.insert(request.where);
      }
    }
    below_.read(batch);
  }
  void write(std::span<const pd::write_request> batch) override { below_.write(batch); }
  void flush() override { below_.flush(); }
  std::string content() override { return below_.content(); }
  void require_unchanged() override { below_.require_unchanged(); }

  block_nr nr_seen() const { return usable_blocks(below_); }
  pd::block_set& seen() { return seen_; }

 private:
  pd::block_device& below_;
  pd::block_set seen_;
};

class deaf_sink final : public problem_sink {
 public:
  void found(const problem& /*p*/) override {}
};

// False if the map can't be read.
bool add_counted(pd::block_device& device, const pd::space_map_root& root, pd::block_set& to,
                 block_nr end) {
  try {
    const auto map = pd::disk_space_map::open(device, root);
    for (block_nr block = 0; block < std::min(end, map.nr_blocks()); ++block) {
      if (map.count(block) > 0) {
        to.insert(block);
      }
    }
    return true;
  } catch (const base::data_error&) {
    return false;
  }
}

// Puts in the blocks of the set; without one, all that are not zero, and block 0.
void pack_blocks(pd::block_device& device, const pd::block_set* set, base::output& out,
                 base::progress& progress) {
  constexpr std::size_t most = 256;
  const block_nr end = pd::usable_blocks(device);
  pd::block_packer packer(out, end);
  pd::block_buffer memory(most);
  std::vector<pd::read_request> batch;
  progress.begin("packing", pd::block_size);
  for (block_nr next = 0; next < end;) {
    batch.clear();
    for (; next < end && batch.size() < most; ++next) {
      if (set == nullptr || set->contains(next)) {
        batch.push_back({next, memory.block(batch.size()), 0});
      }
    }
    device.read(batch);
    for (const pd::read_request& done : batch) {
      if (done.error != 0) {
        packer.add_unreadable(done.where, done.error);
      } else if (set != nullptr || done.where == 0 || !base::is_zero(done.into, pd::block_size)) {
        packer.add(done.where, done.into);
      }
    }
    progress.at(next, end);
  }
  packer.finish();
}

}  // namespace

void pack_metadata(pd::block_device& device, metadata_state which, base::output& out,
                   base::progress& progress) {
  watched_device watched(device);
  deaf_sink deaf;
  const check_summary found = check(watched, {false, which}, deaf, progress);
  const bool is_known = found.superblock_usable &&
                        (which == metadata_state::snapshot ||
                         add_counted(watched, found.space_map, watched.seen(), watched.nr_seen()));
  pack_blocks(device, is_known ? &watched.seen() : nullptr, out, progress);
}

}  // namespace era
