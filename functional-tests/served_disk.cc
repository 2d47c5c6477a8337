#include "served_disk.h"

#include <algorithm>
#include <sstream>

#include "catch.h"
#include "fixtures.h"
#include "metadata_bytes.h"

namespace serving {

served_disk::served_disk() {
  harness::make_zeroed(*this / "origin", bytes);
  harness::make_zeroed(*this / "metadata", 1 << 20);
}

nbdkit_server& served_disk::serve(const words& more) {
  words parameters = {"metadata=metadata", "origin=origin", "control=control"};
  if (harness::read_file(*this / "metadata").find_first_not_of('\0') == std::string::npos) {
    parameters.push_back("block-size=32k");
  }
  parameters.insert(parameters.end(), more.begin(), more.end());
  server_.reset();
  server_ = std::make_unique<nbdkit_server>(folder_.path(), parameters);
  return *server_;
}

void served_disk::stop() {
  CHECK(server_->stop() == 0);
  CHECK(server_->said() == "");
  const harness::metadata_bytes metadata(harness::read_file(*this / "metadata"));
  CHECK(metadata.get64(0, harness::superblock::current_root) == 0);  // its era has ended
}

void served_disk::write_blocks(const std::vector<std::uint64_t>& blocks) {
  nbd_client client(server_->socket());
  for (const std::uint64_t block : blocks) {
    ++written_;
    const std::uint64_t begin = block * block_bytes;
    const std::uint64_t size = std::min(bytes - begin, block_bytes);
    const std::string text = "write " + std::to_string(written_);
    client.write(begin + written_ % (size - text.size()), text);
  }
}

std::uint32_t served_disk::checkpoint() {
  CHECK(server_->ask("message checkpoint") == "ok\n");
  return era();
}

spans data_of(const std::vector<nbd_extent>& extents) {
  spans found;
  for (const nbd_extent& one : extents) {
    if (one.flags == 0) {
      found.emplace_back(one.begin, one.end);
    } else {
      CHECK(one.flags == (LIBNBD_STATE_HOLE | LIBNBD_STATE_ZERO));
    }
  }
  return found;
}

spans data_of(const served_disk& disk, const std::string& export_name) {
  return data_of(nbd_client(disk / "nbd", export_name).extents());
}

spans listed(const served_disk& disk, const words& window) {
  words options = {"--format", "ranges", "--unit", "bytes", "--origin", disk / "origin"};
  options.insert(options.end(), window.begin(), window.end());
  options.push_back(disk / "metadata");
  const auto got = fixtures::call("era_invalidate", options);
  INFO(got.err);
  CHECK(got.status == 0);
  spans found;
  std::istringstream lines(got.out);
  for (std::uint64_t begin = 0, end = 0; lines >> begin >> end;) {
    found.emplace_back(begin, end);
  }
  return found;
}

}  // namespace serving
