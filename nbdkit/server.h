// What the plugin serves: an origin as a disk whose writes an era target records, and lists of
// them. Knows nothing of nbdkit; the plugin (plugin.cc) knows nothing else.
//
// Life: construct (opens and locks both, formats or recovers the metadata, begins an era) → start()
// → requests → stop() (ends the era). Between constructor and start() the process may fork: there
// are no threads yet. Destroying a server that was not stopped is a power cut.
//
// Memory: one bit a data block, one more for each list that a client looks at, and 20 MiB or so.
// Thread safe from start() to stop().
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "era/target/target.h"
#include "nbdkit/control_socket.h"
#include "nbdkit/delta_exports.h"
#include "nbdkit/disk_file.h"
#include "nbdkit/served_target.h"
#include "persistent-data/file_device.h"

namespace served {

struct server_options {
  std::string metadata;
  std::string origin;
  std::optional<std::uint64_t> block_bytes;     // needed for new metadata alone
  std::optional<std::uint64_t> metadata_bytes;  // makes the file if there is none
  std::string control;                          // a socket; empty: none
  bool read_only = false;                       // nothing is recorded, and nothing written
};

class server {
 public:
  // `report` is told of failures that no client waits for. Throws base::error.
  server(const server_options& options, std::function<void(const std::string&)> report);
  ~server();
  server(const server&) = delete;
  server& operator=(const server&) = delete;

  void start();

  // Throws base::error where the era can't be ended; all that was written is recorded even so.
  void stop();

  bool is_read_only() const { return options_.read_only; }
  const disk_file& disk() const { return disk_; }
  std::uint64_t size() const { return disk_.size(); }  // bytes
  std::uint64_t block_bytes() const { return block_bytes_; }

  // Before every write of any kind; see served_target.
  [[nodiscard]] served_target::write_pass begin_write(const base::byte_range& bytes) {
    return serving_->begin_write(bytes);
  }

  // A list for a client, of the export of this name. Throws base::error.
  class listing {
   public:
    const era::written_list& list() const { return opened_ ? opened_->list() : *own_; }

   private:
    friend server;
    std::unique_ptr<delta_exports::opened> opened_;
    std::unique_ptr<const era::written_list> own_;
  };
  std::unique_ptr<listing> open_list(std::string_view export_name);

  // The answer to a line on the control socket: what dmsetup prints, "ok" to a message. Throws
  // base::error.
  std::string answer(std::string_view line);

 private:
  class devices;

  void open_target();
  void forget_queues();
  std::string status();
  std::string table() const;

  server_options options_;
  std::function<void(const std::string&)> report_;
  disk_file disk_;
  pd::file_device metadata_;
  std::unique_ptr<pd::file_device> second_;  // on the metadata too, for who reads beside the target
  std::unique_ptr<devices> devices_;
  std::uint64_t block_bytes_ = 0;
  std::unique_ptr<era::target> target_;  // null: read only
  std::unique_ptr<served_target> serving_;
  std::unique_ptr<delta_exports> deltas_;
  std::unique_ptr<control_socket> control_;
};

}  // namespace served
