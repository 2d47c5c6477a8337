#include "device-mapper/held_snapshot.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>
#include <chrono>
#include <thread>

#include "base/storage.h"
#include "device-mapper/era_message.h"

namespace dm {
namespace {

// A note for the guardian in place of a block: whatever snapshot there is.
constexpr std::uint64_t any_block = UINT64_MAX;

// udev holds a lock on a whole disk for moments.
constexpr int lock_attempts = 25;
constexpr auto between_attempts = std::chrono::milliseconds(20);

base::file_handle locked_node(const era_device& device) {
  base::file_handle node = base::open_storage(device.metadata, {O_RDONLY, "", ""});
  for (int attempt = 1; base::retry([&] { return ::flock(node.fd(), LOCK_EX | LOCK_NB); }) != 0;
       ++attempt) {
    if (errno != EWOULDBLOCK) {
      throw base::io_error(base::system_message(device.metadata, errno));
    }
    if (attempt == lock_attempts) {
      throw base::data_error(device.name + ": another program has locked its metadata device, " +
                             device.metadata + ": perhaps an era tool that reads it\n" +
                             "Start again when that has ended.");
    }
    std::this_thread::sleep_for(between_attempts);
  }
  return node;
}

std::string how_to_drop(const std::string& name) {
  return "Drop it when the device can be sent messages: dmsetup message " + name + " 0 " +
         text_of(era_message::drop_metadata_snap);
}

// Drops the snapshot in that block, if it is held.
void drop_snapshot(devices& at, const era_device& of, std::uint64_t block) {
  const era_status status = status_of(at, of);
  if (status.held_snapshot && (block == any_block || *status.held_snapshot == block)) {
    at.message(of.name, text_of(era_message::drop_metadata_snap));
  }
}

}  // namespace

held_snapshot::held_snapshot(devices& at, const era_device& of, const snapshot_options& how)
    : at_(at), of_(of), lock_(locked_node(of)) {
  require_none(how.replace);
  at_.release();
  const auto drop_it = [&at, &of](std::uint64_t block) {
    drop_snapshot(at, of, block);
    return true;
  };
  guardian_.emplace(drop_it, lock_.fd(),
                    how.quiet ? ""
                              : of.name + ": its metadata snapshot could not be dropped\n" +
                                    how_to_drop(of.name));
  take();
}

void held_snapshot::require_none(bool replace) {
  const era_status status = status_of(at_, of_);
  if (!status.held_snapshot) {
    return;
  }
  if (!replace) {
    throw snapshot_held(of_.name, status);
  }
  at_.message(of_.name, text_of(era_message::drop_metadata_snap));
}

void held_snapshot::take() {
  guardian_->watch(any_block);
  try {
    at_.message(of_.name, text_of(era_message::take_metadata_snap));
  } catch (...) {
    guardian_->dismiss();
    throw;
  }
  const era_status status = status_of(at_, of_);
  if (!status.held_snapshot) {
    guardian_->dismiss();
    throw base::data_error(of_.name +
                           ": the metadata snapshot that was taken has been dropped by somebody "
                           "else\nStart again.");
  }
  block_ = *status.held_snapshot;
  guardian_->watch(block_);
  if (require_target(at_, of_.name, era_target).table.length != of_.length) {
    throw base::data_error(of_.name + ": was resized in this very moment\nStart again.");
  }
}

void held_snapshot::drop() {
  try {
    drop_snapshot(at_, of_, block_);
  } catch (const base::error& failure) {
    guardian_->dismiss();
    lock_ = {};
    throw base::io_error(of_.name + ": its metadata snapshot could not be dropped: " +
                         base::first_line(failure.what()) + "\n" + how_to_drop(of_.name));
  }
  keep();
}

void held_snapshot::keep() {
  guardian_->dismiss();
  lock_ = {};
}

}  // namespace dm
