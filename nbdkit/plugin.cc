// The target as an nbdkit plugin: nbdkit's calls, each handed on to the server (nbdkit-plugin(3),
// API version 2). No exception crosses into nbdkit.
#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include <cerrno>
#include <cstdlib>
#include <exception>
#include <new>

#include "base/number.h"
#include "nbdkit/server.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

namespace {

served::server_options options;

// Not destroyed when the process ends: of nbdkit's two processes the first ends at once.
served::server* all = nullptr;

using disk_extent = served::disk_file::extent;

// A client: of the disk, or of a list.
struct client {
  bool can_write;
  std::unique_ptr<served::server::listing> listing;  // null: of the disk
};

client& client_of(void* handle) {
  return *static_cast<client*>(handle);
}

void report(const std::string& message) {
  nbdkit_error("%s", message.c_str());
}

int fail(int error, const std::string& message) {
  report(message);
  nbdkit_set_error(error);
  return -1;
}

int fail_on_disk(int error, const std::string& what) {
  return fail(error, base::system_message(all->disk().name() + ": " + what, error));
}

// What the call returns, or `failed` where it throws.
template <typename Result, typename Call>
Result guarded(Result failed, Call call) {
  try {
    return call();
  } catch (const std::bad_alloc&) {
    fail(ENOMEM, "out of memory");
  } catch (const std::exception& e) {
    fail(EIO, e.what());
  }
  return failed;
}

std::uint64_t size_value(const std::string& key, const char* value, std::uint64_t multiple) {
  const auto bytes = base::parse_size(value, INT64_MAX);
  if (!bytes || *bytes == 0 || *bytes % multiple != 0) {
    throw base::usage_error(key + "=" + value + " is not a size that is a positive multiple of " +
                            std::to_string(multiple) + " bytes (64k, 1M)");
  }
  return *bytes;
}

// nbdkit changes to another folder.
std::string path_value(const char* value) {
  char* const absolute = nbdkit_absolute_path(value);
  if (absolute == nullptr) {
    throw base::usage_error("a file name is missing");
  }
  std::string path = absolute;
  std::free(absolute);
  return path;
}

int configure(const char* key, const char* value) {
  const std::string name = key;
  if (name == "metadata") {
    options.metadata = path_value(value);
  } else if (name == "origin") {
    options.origin = path_value(value);
  } else if (name == "control") {
    options.control = path_value(value);
  } else if (name == "block-size") {
    options.block_bytes = size_value(name, value, 4096);
    if (*options.block_bytes / era::sector_bytes > UINT32_MAX / era::sector_bytes) {
      throw base::usage_error(name + "=" + value + " is too large");
    }
  } else if (name == "metadata-size") {
    options.metadata_bytes = size_value(name, value, pd::block_size);
  } else if (name == "readonly") {
    const int is_set = nbdkit_parse_bool(value);
    options.read_only = is_set == 1;
    return is_set < 0 ? -1 : 0;
  } else {
    throw base::usage_error("unknown parameter '" + name + "'");
  }
  return 0;
}

int config(const char* key, const char* value) {
  return guarded(-1, [&] { return configure(key, value); });
}

int config_complete() {
  if (options.metadata.empty() || options.origin.empty()) {
    nbdkit_error("metadata=FILE and origin=FILE are needed");
    return -1;
  }
  if (options.read_only && options.metadata_bytes) {
    nbdkit_error("metadata-size makes metadata, and readonly forbids that");
    return -1;
  }
  return 0;
}

// Before the fork, so that whoever starts the server hears of errors.
int get_ready() {
  return guarded(-1, [] {
    all = new served::server(options, report);
    return 0;
  });
}

int after_fork() {
  return guarded(-1, [] {
    all->start();
    return 0;
  });
}

void cleanup() {
  guarded(0, [] {
    all->stop();
    return 0;
  });
}

void unload() {
  delete all;
  all = nullptr;
}

int list_exports(int /*readonly*/, int /*is_tls*/, nbdkit_exports* exports) {
  return nbdkit_add_export(exports, "", "the disk; since=N and era=N show what was written");
}

const char* default_export(int /*readonly*/, int /*is_tls*/) {
  return "";
}

void* open(int readonly) {
  return guarded<void*>(nullptr, [&]() -> void* {
    const char* const name = nbdkit_export_name();
    auto made = std::make_unique<client>();
    made->can_write = readonly == 0 && !all->is_read_only();
    if (name != nullptr && *name != '\0') {
      made->listing = all->open_list(name);
      made->can_write = false;
    }
    return made.release();
  });
}

void close(void* handle) {
  delete &client_of(handle);
}

const char* export_description(void* handle) {
  return guarded<const char*>(nullptr, [&]() -> const char* {
    const client& of = client_of(handle);
    if (!of.listing) {
      return nullptr;
    }
    const era::list_facts& facts = of.listing->list().facts;
    const std::string text = base::counted(facts.total_blocks, "block") + ", " +
                             std::to_string(facts.total_bytes) +
                             " bytes, next since=" + std::to_string(facts.next_since);
    return nbdkit_strdup_intern(text.c_str());
  });
}

std::int64_t get_size(void* /*handle*/) {
  return static_cast<std::int64_t>(all->size());
}

int block_size(void* /*handle*/, std::uint32_t* minimum, std::uint32_t* preferred,
               std::uint32_t* maximum) {
  *minimum = 1;
  *preferred = 4096;
  *maximum = UINT32_MAX;
  return 0;
}

int can_write(void* handle) {
  return client_of(handle).can_write ? 1 : 0;
}

int always(void* /*handle*/) {
  return 1;
}

int can_fua(void* /*handle*/) {
  return NBDKIT_FUA_NATIVE;
}

int can_cache(void* /*handle*/) {
  return NBDKIT_CACHE_EMULATE;
}

base::byte_range range_of(std::uint64_t offset, std::uint64_t count) {
  return {offset, offset + count};
}

int finish_write(int error, std::uint32_t flags, const char* what) {
  if (error == 0 && (flags & NBDKIT_FLAG_FUA) != 0) {
    error = all->disk().flush();
  }
  return error == 0 ? 0 : fail_on_disk(error, what);
}

int pread(void* /*handle*/, void* buffer, std::uint32_t count, std::uint64_t offset,
          std::uint32_t /*flags*/) {
  return guarded(-1, [&] {
    const int error = all->disk().read(offset, buffer, count);
    return error == 0 ? 0 : fail_on_disk(error, "reading");
  });
}

int pwrite(void* /*handle*/, const void* buffer, std::uint32_t count, std::uint64_t offset,
           std::uint32_t flags) {
  return guarded(-1, [&] {
    const auto pass = all->begin_write(range_of(offset, count));
    return finish_write(all->disk().write(offset, buffer, count), flags, "writing");
  });
}

// Without EOPNOTSUPP's message: nbdkit then writes zeros itself.
int zero(void* /*handle*/, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  return guarded(-1, [&] {
    const auto pass = all->begin_write(range_of(offset, count));
    const int error =
        all->disk().write_zeroes(range_of(offset, count), (flags & NBDKIT_FLAG_MAY_TRIM) != 0);
    if (error == EOPNOTSUPP) {
      nbdkit_set_error(error);
      return -1;
    }
    return finish_write(error, flags, "writing zeros");
  });
}

// Marks every block that it touches: what the kernel leaves out here is missing from a copy where a
// discarded block reads as something else.
int trim(void* /*handle*/, std::uint32_t count, std::uint64_t offset, std::uint32_t flags) {
  return guarded(-1, [&] {
    const auto pass = all->begin_write(range_of(offset, count));
    return finish_write(all->disk().discard(range_of(offset, count)), flags, "trimming");
  });
}

int flush(void* /*handle*/, std::uint32_t /*flags*/) {
  return guarded(-1, [] {
    const int error = all->disk().flush();
    return error == 0 ? 0 : fail_on_disk(error, "flushing");
  });
}

// Blocks that are not listed count as holes of zeros, which is what makes copiers leave them out.
disk_extent extent_of_list(const era::written_list& list, std::uint64_t offset) {
  const std::uint64_t block_bytes = list.facts.block_bytes;
  const std::uint64_t block = offset / block_bytes;
  const std::uint64_t written = list.blocks.first_from(block);
  const bool is_listed = written == block;
  const std::uint64_t end = is_listed ? list.blocks.run_from(block)->end : written;
  return {std::min(end * block_bytes, all->size()), !is_listed};
}

int extents(void* handle, std::uint32_t count, std::uint64_t offset, std::uint32_t flags,
            nbdkit_extents* found) {
  return guarded(-1, [&] {
    const client& of = client_of(handle);
    const bool only_one = (flags & NBDKIT_FLAG_REQ_ONE) != 0;
    const std::uint64_t end = offset + count;
    for (std::uint64_t at = offset; at < end;) {
      const disk_extent next =
          of.listing ? extent_of_list(of.listing->list(), at) : all->disk().extent_at(at);
      const std::uint32_t type = next.is_hole ? NBDKIT_EXTENT_HOLE | NBDKIT_EXTENT_ZERO : 0;
      if (nbdkit_add_extent(found, at, next.end - at, type) != 0) {
        return -1;
      }
      at = only_one ? end : next.end;
    }
    return 0;
  });
}

nbdkit_plugin describe() {
  nbdkit_plugin plugin = {};
  plugin.name = "era";
  plugin.longname = "nbdkit era plugin";
  plugin.version = ERA_TOOLS_VERSION;
  plugin.description = "a disk that records in which era each of its blocks was last written";
  plugin.config = config;
  plugin.config_complete = config_complete;
  plugin.config_help =
      "metadata=FILE       (required) where the eras are recorded: a file or block device\n"
      "origin=FILE         (required) the disk: a file or block device\n"
      "block-size=SIZE     data block of new metadata, a multiple of 4k, such as 64k or 1M\n"
      "metadata-size=SIZE  makes the metadata file if there is none\n"
      "readonly=true       serves what was recorded, and changes nothing\n"
      "control=SOCKET      Unix socket for status, table and messages; see era_message(8)";
  plugin.get_ready = get_ready;
  plugin.after_fork = after_fork;
  plugin.cleanup = cleanup;
  plugin.unload = unload;
  plugin.list_exports = list_exports;
  plugin.default_export = default_export;
  plugin.open = open;
  plugin.close = close;
  plugin.export_description = export_description;
  plugin.get_size = get_size;
  plugin.block_size = block_size;
  plugin.can_write = can_write;
  plugin.can_flush = always;
  plugin.can_trim = always;
  plugin.can_zero = always;
  plugin.can_extents = always;
  plugin.can_multi_conn = always;
  plugin.can_fua = can_fua;
  plugin.can_cache = can_cache;
  plugin.pread = pread;
  plugin.pwrite = pwrite;
  plugin.zero = zero;
  plugin.trim = trim;
  plugin.flush = flush;
  plugin.extents = extents;
  return plugin;
}

nbdkit_plugin plugin = describe();

}  // namespace

NBDKIT_REGISTER_PLUGIN(plugin)
