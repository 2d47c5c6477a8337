// Exports that show which blocks of a served target were written: "since=N", in era N or later, and
// "era=N", last in that era. Each client gets the list as of when it connects.
//
// The list is that of a metadata snapshot, which is held for as long as a client of it is there.
// Clients share a snapshot where nothing was written in between; otherwise a new one takes its
// place, since there can be only one, and the older lists, which are in memory, stay as they are.
// If somebody else holds a snapshot, the list is read from the live metadata, and writes wait until
// it is.
//
// All messages to the target go through here, so that a snapshot of others is never taken for ours.
// Thread safe.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "era/list/written_list.h"
#include "nbdkit/served_target.h"

namespace served {

struct era_window {
  std::uint32_t since = 0;
  std::optional<std::uint32_t> before = {};  // exclusive

  auto operator<=>(const era_window&) const = default;
};

// Of the name of an export; throws base::data_error where it is none of these.
era_window window_of(std::string_view export_name);

// As metadata says it that nobody changes. Throws what era::list_written_blocks() does.
era::written_list list_of(pd::block_device& metadata, era::metadata_state which,
                          const era_window& window, std::uint64_t disk_bytes);

class delta_exports {
 public:
  // Lists take one bit a block each, so there is a limit on those that differ.
  static constexpr std::size_t most_lists = 16;

  // Reads by way of `metadata`, a device of its own on the target's metadata. Both must stay.
  delta_exports(served_target& target, pd::block_device& metadata, std::uint64_t disk_bytes,
                std::function<void(const std::string&)> report);

  // A client's list; gives its part in the snapshot back when it is destroyed.
  class opened {
   public:
    ~opened();
    opened(const opened&) = delete;
    opened& operator=(const opened&) = delete;
    const era::written_list& list() const { return *list_; }

   private:
    friend delta_exports;
    opened(delta_exports& of, std::shared_ptr<const era::written_list> list, std::uint64_t snapshot)
        : of_(of), list_(std::move(list)), snapshot_(snapshot) {}
    delta_exports& of_;
    std::shared_ptr<const era::written_list> list_;
    std::uint64_t snapshot_;
  };

  // Throws base::error where the list can't be had.
  std::unique_ptr<opened> open(const era_window& window);

  // Gives back the snapshot that clients still hold: when it ends, nbdkit does not say that they
  // leave. Their lists stay.
  void drop_snapshot();

  // To the target, no write being under way. Throws what era::target::message() does.
  void message(std::string_view text);

 private:
  using list_ptr = std::shared_ptr<const era::written_list>;

  // Ours, and the lists that were read from it. Number 0 stands for none.
  struct snapshot {
    std::uint64_t number = 0;
    pd::block_nr where = pd::no_block;
    std::uint32_t era = 0;  // that was current when it was taken
    std::size_t users = 0;
    std::map<era_window, std::weak_ptr<const era::written_list>> lists = {};
  };

  bool still_says_all(const era::target& target) const;
  bool hold_snapshot(era::target& target);
  list_ptr read(era::metadata_state which, const era_window& window);
  list_ptr list_of_snapshot(const era_window& window);
  void leave(std::uint64_t number);
  void drop_if_unused();

  served_target& target_;
  pd::block_device& metadata_;
  const std::uint64_t disk_bytes_;
  const std::function<void(const std::string&)> report_;

  std::mutex mutex_;  // for all below, and for messages
  snapshot held_;
  std::uint64_t last_number_ = 0;
  std::vector<std::weak_ptr<const era::written_list>> all_;
};

}  // namespace served
