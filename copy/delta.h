// Delta streams: the changes of a device from one state to the next, in the container "rbd diff v1"
// (doc/delta.md). delta_writer is the target of a copy that writes one; delta_reader is the source
// of a copy that applies one, and gives its extents.
//
//   "rbd diff v1\n", then records, numbers little-endian:
//   'f' le32 length, name       the state that it starts from; none: from nothing
//   't' le32 length, name       the state that it leads to
//   's' le64 size               bytes of the device
//   'w' le64 offset, le64 length, data
//   'z' le64 offset, le64 length          zeros
//   'e'                         the end; without it the stream was cut off
//
// Streams are not trusted. Not thread safe.
#pragma once

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "base/byte_range.h"
#include "base/output.h"
#include "copy/copier.h"
#include "copy/endpoint.h"

namespace copy {

struct delta_header {
  std::optional<std::string> from;  // at most longest_delta_name bytes each
  std::optional<std::string> to;
  std::optional<std::uint64_t> size;  // bytes

  bool operator==(const delta_header&) const = default;
};

inline constexpr std::size_t longest_delta_name = 4096;

// Needs no reads: copies with skip_equal or verify can't have it as a target. Zeros that follow one
// another are one record.
class delta_writer final : public endpoint {
 public:
  // `header` has a size, and is one that delta_reader takes. Writes the header; `to` must stay, and
  // is not committed.
  delta_writer(base::output& to, std::string name, const delta_header& header);

  // Writes the end. Nothing may follow.
  void finish();

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return size_; }
  void start(request& wanted) override;
  bool is_stream() const override { return true; }

 private:
  void put_zeros();

  base::output& to_;
  std::string name_;
  std::uint64_t size_;
  base::byte_range zeros_;  // of which there is no record yet
};

// Throws base::data_error, naming the stream and the byte, for what is not such a stream, or is cut
// off, or has bytes after its end; base::io_error where it can't be read.
class delta_reader final : public endpoint {
 public:
  // Reads up to the first record of data. The descriptor must stay open; it may be a pipe.
  delta_reader(int fd, std::string name);

  const delta_header& header() const { return header_; }

  // The next record of data; its bytes are read by start() before the next is asked for.
  std::optional<extent> next();

  const std::string& name() const override { return name_; }
  std::uint64_t size() const override;  // that of the header; 2^63 - 1 if it has none
  void start(request& wanted) override;
  bool is_stream() const override { return true; }

 private:
  [[noreturn]] void refuse(const std::string& reason) const;
  [[noreturn]] void refuse_cut() const;
  std::size_t read_some(std::byte* into, std::size_t size);
  void read(void* into, std::size_t size);
  std::uint32_t read_le32();
  std::uint64_t read_le64();
  char read_letter();
  void read_header();
  std::string read_name();
  base::byte_range read_place();
  void require_end();

  int fd_;
  std::string name_;
  delta_header header_;
  std::vector<std::byte> buffer_;
  std::size_t begin_ = 0;  // of what is left in the buffer
  std::size_t end_ = 0;
  std::uint64_t position_ = 0;  // bytes that were taken so far
  char letter_ = 0;             // of the record that comes next
  base::byte_range data_;       // what start() is to read next
  bool is_over_ = false;
};

}  // namespace copy
