// The C interface: each function is what a function of C++ does, with its exceptions turned into
// codes and texts.
#include "include/era/era.h"

#include <algorithm>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string_view>

#include "base/error.h"
#include "base/memory.h"
#include "library/opened_metadata.h"

struct era_metadata {
  std::unique_ptr<library::opened_metadata> opened;
};

struct era_changes {
  era::written_list list;
  std::uint64_t next = 0;  // block
};

namespace {

class bad_argument : public base::error {
 public:
  using error::error;
};

void require(bool is_right, const char* otherwise) {
  if (!is_right) {
    throw bad_argument(otherwise);
  }
}

int failed(int code, std::string_view text, era_error* error) noexcept {
  if (error != nullptr) {
    error->code = code;
    const std::size_t length = std::min<std::size_t>(text.size(), ERA_ERROR_TEXT - 1);
    std::memcpy(error->text, text.data(), length);
    error->text[length] = '\0';
  }
  return code;
}

// Runs `action`; what it throws becomes a code.
// A pointer that is to be set is NULL until then.
template <typename Pointer>
void forget(Pointer** pointer) noexcept {
  if (pointer != nullptr) {
    *pointer = nullptr;
  }
}

template <typename Action>
int guarded(era_error* error, Action action) noexcept {
  if (!base::can_throw()) {
    return failed(ERA_ERROR_MEMORY, "out of memory", error);
  }
  try {
    action();
    return failed(ERA_OK, "", error);
  } catch (const bad_argument& e) {
    return failed(ERA_ERROR_ARGUMENT, e.what(), error);
  } catch (const base::io_error& e) {
    return failed(ERA_ERROR_SYSTEM, e.what(), error);
  } catch (const base::error& e) {
    return failed(ERA_ERROR_DATA, e.what(), error);
  } catch (const std::bad_alloc&) {
    return failed(ERA_ERROR_MEMORY, "out of memory", error);
  } catch (const std::exception& e) {
    return failed(ERA_ERROR_INTERNAL, e.what(), error);
  } catch (...) {
    return failed(ERA_ERROR_INTERNAL, "unknown exception", error);
  }
}

}  // namespace

const char* era_version(void) {
  return ERA_TOOLS_VERSION;
}

int era_open(era_metadata** metadata, const char* path, unsigned flags, era_error* error) {
  forget(metadata);
  return guarded(error, [&] {
    require(metadata != nullptr && path != nullptr, "era_open: a pointer is NULL");
    require((flags & ~ERA_OPEN_SNAPSHOT) == 0, "era_open: unknown flags");
    const auto which = (flags & ERA_OPEN_SNAPSHOT) != 0 ? era::metadata_state::snapshot
                                                        : era::metadata_state::live;
    *metadata = new era_metadata{library::opened_metadata::open(path, which)};
  });
}

int era_open_live(era_metadata** metadata, const char* name, unsigned flags, era_error* error) {
  forget(metadata);
  return guarded(error, [&] {
    require(metadata != nullptr && name != nullptr, "era_open_live: a pointer is NULL");
    require((flags & ~ERA_REPLACE_SNAPSHOT) == 0, "era_open_live: unknown flags");
    *metadata = new era_metadata{
        library::opened_metadata::open_live(name, (flags & ERA_REPLACE_SNAPSHOT) != 0)};
  });
}

int era_close(era_metadata* metadata, era_error* error) {
  return guarded(error, [&] {
    const std::unique_ptr<era_metadata> owned(metadata);
    if (owned) {
      owned->opened->close();
    }
  });
}

int era_get_facts(const era_metadata* metadata, era_facts* facts, size_t size, era_error* error) {
  return guarded(error, [&] {
    require(metadata != nullptr && facts != nullptr, "era_get_facts: a pointer is NULL");
    const library::opened_metadata& opened = *metadata->opened;
    era_facts found{};
    found.block_bytes = opened.superblock().data_block_size * era::sector_bytes;
    found.device_bytes = opened.device_bytes();
    found.nr_blocks = opened.superblock().nr_blocks;
    found.current_era = opened.superblock().current_era;
    found.next_since = opened.next_since();
    found.is_open = opened.is_open() ? 1 : 0;
    std::memset(facts, 0, size);
    std::memcpy(facts, &found, std::min(size, sizeof found));
  });
}

int era_changes_since(era_changes** changes, era_metadata* metadata, uint32_t since,
                      uint64_t device_bytes, era_error* error) {
  forget(changes);
  return guarded(error, [&] {
    require(changes != nullptr && metadata != nullptr, "era_changes_since: a pointer is NULL");
    *changes = new era_changes{metadata->opened->changes_since(since, device_bytes)};
  });
}

int era_next_change(era_changes* changes, era_range* range) {
  if (changes == nullptr || range == nullptr) {
    return 0;
  }
  const auto run = changes->list.blocks.run_from(changes->next);
  if (!run) {
    return 0;
  }
  const base::byte_range bytes = changes->list.bytes_of(*run);
  *range = {bytes.first, bytes.end, run->first, run->end};
  changes->next = run->end;
  return 1;
}

void era_seek_change(era_changes* changes, uint64_t block) {
  if (changes != nullptr) {
    changes->next = std::min<std::uint64_t>(block, changes->list.blocks.nr_blocks());
  }
}

void era_free_changes(era_changes* changes) {
  delete changes;
}

int era_last_written(era_metadata* metadata, uint64_t first, uint64_t count, uint32_t* eras,
                     era_error* error) {
  const int code = guarded(error, [&] {
    require(metadata != nullptr && (eras != nullptr || count == 0),
            "era_last_written: a pointer is NULL");
    const std::uint64_t nr_blocks = metadata->opened->superblock().nr_blocks;
    require(first <= nr_blocks && count <= nr_blocks - first,
            "era_last_written: the device does not have so many blocks");
    metadata->opened->last_written(first, {eras, static_cast<std::size_t>(count)});
  });
  if (code != ERA_OK && code != ERA_ERROR_ARGUMENT) {
    std::fill_n(eras, count, UINT32_MAX);
  }
  return code;
}
