// A disk in a folder of its own, served by nbdkit, as the tests of its exports and parameters have
// it; and what the tools say of its metadata. Not thread safe.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "harness.h"
#include "nbd_client.h"
#include "nbdkit_server.h"

namespace serving {

class served_disk {
 public:
  static constexpr std::uint64_t block_bytes = 32 << 10;
  static constexpr std::uint64_t bytes = (4 << 20) + 5 * 512;  // the last block is a part
  static constexpr std::uint64_t nr_blocks = 4 * 32 + 1;

  // Of "origin" and "metadata"; not yet served. Both are there, and empty.
  served_disk();

  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::string path() const { return folder_.path(); }

  // Serves it, with more parameters.
  nbdkit_server& serve(const words& more = {});
  nbdkit_server& server() { return *server_; }
  // SIGTERM; what it says and its status must be as they should be.
  void stop();

  // A client's writes to some blocks, bytes of each, that differ each time.
  void write_blocks(const std::vector<std::uint64_t>& blocks);
  // The era that is current.
  std::uint32_t era() { return status_of(*server_).era; }
  std::uint32_t checkpoint();

  std::string contents() const { return harness::read_file(*this / "origin"); }

 private:
  harness::temporary_folder folder_;
  std::unique_ptr<nbdkit_server> server_;
  unsigned written_ = 0;
};

// Bytes, from `begin` on and before `end`.
using spans = std::vector<std::pair<std::uint64_t, std::uint64_t>>;

// What an export says is data, and what its other extents are must be holes that read as zeros.
spans data_of(const std::vector<nbd_extent>& extents);
spans data_of(const served_disk& disk, const std::string& export_name);

// What era_invalidate lists of metadata that nobody serves, by options such as --written-since.
spans listed(const served_disk& disk, const words& window);

}  // namespace serving
