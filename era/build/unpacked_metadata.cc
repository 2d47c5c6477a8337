#include "era/build/unpacked_metadata.h"

#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <string_view>

#include "base/error.h"
#include "era/build/metadata_builder.h"

namespace era {
namespace {

constexpr std::string_view unreadable_mark =
    "era_restore --unpack: this block could not be read when it was packed\n";
constexpr std::size_t most_in_a_batch = 256;

void read_block(const pd::unpacked_blocks& from, block_nr where, std::byte* into) {
  if (std::binary_search(from.unreadable.begin(), from.unreadable.end(), where)) {
    std::memset(into, 0, pd::block_size);
    std::memcpy(into, unreadable_mark.data(), unreadable_mark.size());
    return;
  }
  const int error = base::read_at(from.file.fd(), where * pd::block_size, into, pd::block_size);
  if (error != 0) {
    throw base::io_error(base::system_message("the unpacked blocks", error));
  }
}

void require_room(const pd::unpacked_blocks& from, const pd::block_device& to) {
  if (to.nr_blocks() < from.nr_blocks) {
    throw base::io_error(to.name() + ": Output file too small: the device that was packed has " +
                         std::to_string(from.nr_blocks) + " blocks (" +
                         std::to_string(from.nr_blocks * pd::block_size) +
                         " bytes), this one has " + std::to_string(to.nr_blocks()) + ".");
  }
}

// All but block 0.
void write_others(const pd::unpacked_blocks& from, pd::block_device& to, base::progress& progress) {
  pd::block_buffer memory(most_in_a_batch);
  std::vector<pd::write_request> batch;
  progress.begin("writing", pd::block_size);
  for (std::size_t i = 1; i < from.present.size();) {
    batch.clear();
    for (; i < from.present.size() && batch.size() < most_in_a_batch; ++i) {
      std::byte* const into = memory.block(batch.size());
      read_block(from, from.present[i], into);
      batch.push_back({from.present[i], into});
    }
    to.write(batch);
    progress.at(i, from.present.size());
  }
  to.flush();
}

}  // namespace

void write_unpacked(const pd::unpacked_blocks& from, pd::block_device& to,
                    base::progress& progress) {
  require_room(from, to);
  write_mark(to);
  write_others(from, to, progress);
  pd::block_buffer block(1);
  read_block(from, 0, block.block(0));
  write_block_0_last(to, block.block(0));
}

}  // namespace era
