#include "bin/live_cache.h"

#include <cstring>
#include <optional>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/number.h"
#include "cache/mapping_reader.h"
#include "era/rollback/invalidation.h"

namespace cli {
namespace {

// The kernel commits at most once a second, and a reading takes less than that.
constexpr int most_tries = 5;

std::string first_block(pd::block_device& device) {
  pd::block_buffer buffer(1);
  if (const int error = pd::read_block(device, 0, buffer.block(0))) {
    throw base::io_error(base::system_message(device.name(), error));
  }
  return {reinterpret_cast<const char*>(buffer.block(0)), pd::block_size};
}

}  // namespace

live_cache::live_cache(dm::devices& devices, const std::string& name_or_path,
                       metadata_opener open_metadata)
    : devices_(devices), open_metadata_(std::move(open_metadata)) {
  target_.name = name_or_path;
  static_cast<void>(require_passthrough());
}

// Asks for the status, at which the kernel commits what it holds back.
dm::cache_status live_cache::require_passthrough() {
  target_ = dm::require_target(devices_, target_.name, "cache");
  table_ = dm::parse_cache_table(name(), target_.table.words);
  const std::vector<dm::target_line> lines = devices_.status(name());
  if (lines.size() != 1 || lines.front().type != "cache") {
    throw base::data_error(name() + ": its table was replaced just now; start again");
  }
  dm::cache_status status = dm::parse_cache_status(name(), lines.front().words);
  if (status.has_failed) {
    throw base::data_error(name() + ": the cache has failed; dmesg says why");
  }
  if (status.needs_check || status.is_read_only) {
    throw base::data_error(name() + ": the metadata of the cache is " +
                           (status.needs_check ? "to be checked" : "read-only") +
                           ", so that nothing can be invalidated\n"
                           "Deactivate the cache, look at its metadata with cache_check, and "
                           "repair it with cache_repair.");
  }
  if (!status.has_feature("passthrough")) {
    throw base::data_error(name() +
                           ": is not in passthrough mode, so that its mappings may change\n"
                           "When no block is dirty, suspend it, load its table with passthrough "
                           "in place of writeback or writethrough, and resume it.");
  }
  if (status.nr_dirty > 0) {
    throw base::data_error(name() + ": has " + base::counted(status.nr_dirty, "dirty block") +
                           ", which passthrough mode should not have");
  }
  return status;
}

void live_cache::require_above(dev_t number, const std::string& device) const {
  if (table_.origin != base::number_text(number)) {
    throw base::data_error(name() + ": " + device + " is not its origin, which is " +
                           table_.origin +
                           "\nIf blocks have the same numbers on both all the same, make a list "
                           "and give it with --list.");
  }
}

void live_cache::require_same_origin(const era::changed_blocks& changed) const {
  if (changed.origin_sectors && *changed.origin_sectors < target_.table.length) {
    throw base::data_error(name() + ": has " + std::to_string(target_.table.length) +
                           " sectors, but the origin that " + changed.name + " is of has only " +
                           std::to_string(*changed.origin_sectors) +
                           "\nIs this the cache of another device?");
  }
}

era::stale_blocks live_cache::read(pd::block_device& metadata, const dm::cache_status& status,
                                   const era::changed_blocks& changed) const {
  era::stale_finder finder(changed);
  cache::read_mappings(metadata, finder);
  era::stale_blocks found = finder.finish();
  if (found.cache.block_size != table_.block_size || found.cache.nr_blocks != status.nr_blocks) {
    throw base::data_error(metadata.name() + ": is not the metadata of " + name() + ", which has " +
                           std::to_string(status.nr_blocks) + " blocks of " +
                           std::to_string(table_.block_size) + " sectors");
  }
  found.none_is_dirty();
  return found;
}

era::stale_blocks live_cache::find_stale(const era::changed_blocks& changed) {
  for (int tries = 1; tries <= most_tries; ++tries) {
    const dm::cache_status status = require_passthrough();
    require_same_origin(changed);
    const std::unique_ptr<pd::block_device> metadata = open_metadata_(table_.metadata);
    const std::string before = first_block(*metadata);
    std::optional<era::stale_blocks> found;
    std::exception_ptr failure;
    try {
      found = read(*metadata, status, changed);
    } catch (const base::data_error&) {
      failure = std::current_exception();  // maybe of blocks that the kernel has used again
    }
    if (first_block(*metadata) != before) {
      continue;
    }
    if (failure) {
      std::rethrow_exception(failure);
    }
    return std::move(*found);
  }
  throw base::data_error(name() + ": its metadata keeps changing while it is read; start again");
}

void live_cache::invalidate(const era::stale_blocks& stale, const era::changed_blocks& changed) {
  static_cast<void>(require_passthrough());
  era::make_messages(stale.blocks, [&](const std::string& arguments) {
    devices_.message(name(), std::string(era::invalidate_message) + " " + arguments);
  });
  const std::uint64_t left = find_stale(changed).nr_stale;
  if (left > 0) {
    throw base::data_error(name() + ": " + base::counted(left, "cache block") +
                           " are still there that were to be invalidated");
  }
}

}  // namespace cli
