#include "nbdkit/delta_exports.h"

#include "base/number.h"

namespace served {
namespace {

constexpr std::string_view since_prefix = "since=";
constexpr std::string_view era_prefix = "era=";

// Before an era is spent on it.
void require_begun(const era_window& window, std::uint32_t current) {
  if (window.since > current) {
    throw base::data_error("what was written since era " + std::to_string(window.since) +
                           " is asked for, but the current era is " + std::to_string(current) +
                           ": that era was not noted from this metadata as it is");
  }
}

}  // namespace

era_window window_of(std::string_view export_name) {
  const bool is_since = export_name.starts_with(since_prefix);
  if (is_since || export_name.starts_with(era_prefix)) {
    const std::string_view number = export_name.substr(export_name.find('=') + 1);
    const auto era = base::parse_number(number, UINT32_MAX);
    if (era && is_since) {
      return {static_cast<std::uint32_t>(*era), std::nullopt};
    }
    if (era && *era < UINT32_MAX) {
      return {static_cast<std::uint32_t>(*era), static_cast<std::uint32_t>(*era + 1)};
    }
  }
  throw base::data_error(
      "there is no export '" + std::string(export_name.substr(0, 64)) +
      "': the disk is the export without a name; since=N and era=N show what was "
      "written");
}

era::written_list list_of(pd::block_device& metadata, era::metadata_state which,
                          const era_window& window, std::uint64_t disk_bytes) {
  era::metadata_file file(metadata);
  era::strict_sink strict(metadata.name());
  base::no_progress silent;
  era::written_list list =
      era::list_written_blocks(file, which, {window.since, window.before, {}}, strict, silent);
  era::end_with_origin(list, disk_bytes);
  return list;
}

delta_exports::delta_exports(served_target& target, pd::block_device& metadata,
                             std::uint64_t disk_bytes,
                             std::function<void(const std::string&)> report)
    : target_(target), metadata_(metadata), disk_bytes_(disk_bytes), report_(std::move(report)) {}

delta_exports::opened::~opened() {
  list_.reset();
  of_.leave(snapshot_);
}

std::unique_ptr<delta_exports::opened> delta_exports::open(const era_window& window) {
  const std::lock_guard held(mutex_);
  std::erase_if(all_, [](const auto& list) { return list.expired(); });
  if (all_.size() >= most_lists) {
    throw base::io_error("there are clients with " + std::to_string(most_lists) +
                         " different lists already; this one has to wait until one leaves");
  }
  list_ptr list;
  bool ours = false;
  target_.call(served_target::writes::wait, [&](era::target& target) {
    require_begun(window, target.current_era());
    ours = hold_snapshot(target);
    if (!ours) {
      target.message("checkpoint");
      list = read(era::metadata_state::live, window);
    }
  });
  if (!ours) {
    return std::unique_ptr<opened>(new opened(*this, std::move(list), 0));
  }
  ++held_.users;
  try {
    list = list_of_snapshot(window);
    return std::unique_ptr<opened>(new opened(*this, std::move(list), held_.number));
  } catch (...) {
    --held_.users;
    drop_if_unused();
    throw;
  }
}

// Whether the snapshot held is ours, and nothing has been written since it was taken.
bool delta_exports::still_says_all(const era::target& target) const {
  const era::superblock& live = target.last_commit();
  return held_.number != 0 && live.metadata_snap == held_.where && live.current_era == held_.era &&
         !target.has_marks();
}

// False if somebody else holds one.
bool delta_exports::hold_snapshot(era::target& target) {
  if (still_says_all(target)) {
    return true;
  }
  if (held_.number != 0) {
    target.message("drop_metadata_snap");
    held_ = {};
  }
  if (target.last_commit().metadata_snap != pd::no_block) {
    return false;
  }
  target.message("take_metadata_snap");
  held_.number = ++last_number_;
  held_.where = target.last_commit().metadata_snap;
  held_.era = target.current_era();
  return true;
}

delta_exports::list_ptr delta_exports::read(era::metadata_state which, const era_window& window) {
  auto list =
      std::make_shared<const era::written_list>(list_of(metadata_, which, window, disk_bytes_));
  all_.push_back(list);
  return list;
}

delta_exports::list_ptr delta_exports::list_of_snapshot(const era_window& window) {
  std::erase_if(held_.lists, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<const era::written_list>& known = held_.lists[window];
  list_ptr list = known.lock();
  if (!list) {
    list = read(era::metadata_state::snapshot, window);
    known = list;
  }
  return list;
}

void delta_exports::leave(std::uint64_t number) {
  const std::lock_guard held(mutex_);
  if (number != 0 && number == held_.number) {
    --held_.users;
    drop_if_unused();
  }
}

// A snapshot that can't be dropped is still there when the metadata is opened the next time, as
// after a power cut.
void delta_exports::drop_if_unused() {
  if (held_.users > 0) {
    return;
  }
  held_ = {};
  try {
    target_.call(served_target::writes::wait,
                 [](era::target& target) { target.message("drop_metadata_snap"); });
  } catch (const std::exception& e) {
    report_(e.what());
  }
}

void delta_exports::drop_snapshot() {
  const std::lock_guard held(mutex_);
  if (held_.number != 0) {
    held_.users = 0;
    drop_if_unused();
  }
}

void delta_exports::message(std::string_view text) {
  const std::lock_guard held(mutex_);
  target_.call(served_target::writes::wait, [&](era::target& target) {
    target.message(text);
    if (target.last_commit().metadata_snap != held_.where) {
      held_ = {};
    }
  });
}

}  // namespace served
