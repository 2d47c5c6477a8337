// What a served disk must hold and what its metadata must say, kept by those who write to it: the
// bytes, and for each data block the eras between which its last-written era lies.
//
// A write completes in the era that its mark is of, and that is none before the one that was
// current when the write was sent, and none after the one that is current when it is answered. So
// much is sure of each of them, however many are under way. A write that was under way when the
// server was killed is sure of nothing, but where its bytes are on the disk, its mark must be in
// the metadata.
//
// Thread safe, but for the contents: each byte has one writer at a time.
#pragma once

#include <cstdint>
#include <mutex>
#include <string>
#include <vector>

namespace serving {

struct byte_span {
  std::uint64_t begin;
  std::uint64_t end;
};

struct era_bounds {
  std::uint32_t least = 0;
  std::uint32_t most = 0;
};

class served_model {
 public:
  served_model(std::uint64_t bytes, std::uint64_t block_bytes);

  const std::string& contents() const { return contents_; }
  std::uint64_t size() const { return contents_.size(); }
  std::uint64_t block_bytes() const { return block_bytes_; }

  // A write of these bytes is answered.
  void completed(const byte_span& at, const std::string& bytes,
                 const era_bounds& sent_and_answered);

  // A write was under way when the server was killed, in `era.most` at the latest.
  void interrupted(const byte_span& at, const std::string& bytes, const era_bounds& era);

  // Takes over what has become of the interrupted writes.
  void look_at_disk(const std::string& disk);

  // Holds what is on the disk, and in metadata that nobody serves, against all this; what differs.
  // The metadata is checked too.
  std::vector<std::string> differences(const std::string& disk_path,
                                       const std::string& metadata_path);

  std::uint64_t blocks_written() const;
  std::uint64_t interrupted_but_written() const { return reached_; }
  std::uint64_t nr_blocks() const { return blocks_.size(); }

 private:
  struct lost_write {
    byte_span at;
    std::string bytes;
    era_bounds era;
  };

  void raise(const byte_span& at, const era_bounds& to);
  bool has_reached(const lost_write& write, const std::string& disk);

  const std::uint64_t block_bytes_;
  std::string contents_;
  std::mutex mutex_;
  std::vector<era_bounds> blocks_;
  std::vector<lost_write> lost_;
  std::uint64_t reached_ = 0;
  std::vector<std::string> problems_;
};

}  // namespace serving
