#include "copy/delta.h"

#include <algorithm>
#include <cstring>
#include <stdexcept>
#include <string_view>

#include "base/bytes.h"
#include "base/error.h"
#include "base/file_handle.h"

namespace copy {
namespace {

constexpr std::string_view first_line = "rbd diff v1\n";
constexpr std::size_t buffer_bytes = 65536;

// A device has no more bytes than an offset can count.
constexpr std::uint64_t most_bytes = INT64_MAX;

std::string le32(std::uint32_t value) {
  std::string text(sizeof value, '\0');
  base::put_le32(reinterpret_cast<std::byte*>(text.data()), value);
  return text;
}

std::string le64(std::uint64_t value) {
  std::string text(sizeof value, '\0');
  base::put_le64(reinterpret_cast<std::byte*>(text.data()), value);
  return text;
}

std::size_t length_of(const std::optional<std::string>& name) {
  return name ? name->size() : 0;
}

void put_name(base::output& to, char letter, const std::optional<std::string>& name) {
  if (name) {
    to << std::string(1, letter) << le32(static_cast<std::uint32_t>(name->size())) << *name;
  }
}

void put_place(base::output& to, char letter, const base::byte_range& bytes) {
  to << std::string(1, letter) << le64(bytes.first) << le64(bytes.size());
}

}  // namespace

delta_writer::delta_writer(base::output& to, std::string name, const delta_header& header)
    : to_(to), name_(std::move(name)), size_(header.size.value()) {
  if (size_ > most_bytes || length_of(header.from) > longest_delta_name ||
      length_of(header.to) > longest_delta_name) {
    throw std::logic_error("a header that delta_reader would refuse");
  }
  to_ << first_line;
  put_name(to_, 'f', header.from);
  put_name(to_, 't', header.to);
  to_ << "s" << le64(size_);
}

void delta_writer::start(request& wanted) {
  if (wanted.what == request::kind::read) {
    throw std::logic_error("a delta is not read while it is written");
  }
  if (wanted.offset > size_ || wanted.size > size_ - wanted.offset) {
    throw std::logic_error("bytes past the end of the device");
  }
  const base::byte_range bytes{wanted.offset, wanted.offset + wanted.size};
  if (wanted.what == request::kind::zero) {
    if (bytes.first != zeros_.end) {
      put_zeros();
      zeros_.first = bytes.first;
    }
    zeros_.end = bytes.end;
  } else {
    put_zeros();
    put_place(to_, 'w', bytes);
    to_ << std::string_view(reinterpret_cast<const char*>(wanted.memory), wanted.size);
  }
  wanted.error = 0;
  note_done(wanted);
}

void delta_writer::put_zeros() {
  if (zeros_.size() > 0) {
    put_place(to_, 'z', zeros_);
  }
  zeros_ = {};
}

void delta_writer::finish() {
  put_zeros();
  to_ << "e";
}

delta_reader::delta_reader(int fd, std::string name)
    : fd_(fd), name_(std::move(name)), buffer_(buffer_bytes) {
  std::array<char, first_line.size()> line{};
  const std::size_t got = read_some(reinterpret_cast<std::byte*>(line.data()), line.size());
  const std::string_view begins(line.data(), got);
  if (got < first_line.size() && first_line.starts_with(begins)) {
    refuse_cut();
  }
  if (begins != first_line) {
    throw base::data_error(name_ + ": is not a delta stream, which begins with the line \"" +
                           std::string(first_line.substr(0, first_line.size() - 1)) + "\"");
  }
  read_header();
}

void delta_reader::refuse(const std::string& reason) const {
  throw base::data_error(name_ + ": byte " + std::to_string(position_) + ": " + reason);
}

// Fewer only at the end of the stream.
std::size_t delta_reader::read_some(std::byte* into, std::size_t size) {
  std::size_t got = std::min(size, end_ - begin_);
  std::memcpy(into, buffer_.data() + begin_, got);
  begin_ += got;
  while (got < size) {
    const std::size_t left = size - got;
    if (left >= buffer_.size()) {
      const std::size_t more =
          base::read_up_to(fd_, reinterpret_cast<char*>(into + got), left, name_);
      got += more;
      if (more < left) {
        break;
      }
      continue;
    }
    begin_ = 0;
    end_ = base::read_up_to(fd_, reinterpret_cast<char*>(buffer_.data()), buffer_.size(), name_);
    const std::size_t taken = std::min(left, end_);
    std::memcpy(into + got, buffer_.data(), taken);
    begin_ = taken;
    got += taken;
    if (taken < left) {
      break;
    }
  }
  position_ += got;
  return got;
}

void delta_reader::read(void* into, std::size_t size) {
  if (read_some(static_cast<std::byte*>(into), size) < size) {
    refuse_cut();
  }
}

void delta_reader::refuse_cut() const {
  refuse("the stream ends in the middle, it was cut off");
}

std::uint32_t delta_reader::read_le32() {
  std::array<std::byte, 4> bytes{};
  read(bytes.data(), bytes.size());
  return base::get_le32(bytes.data());
}

std::uint64_t delta_reader::read_le64() {
  std::array<std::byte, 8> bytes{};
  read(bytes.data(), bytes.size());
  return base::get_le64(bytes.data());
}

char delta_reader::read_letter() {
  char letter = 0;
  read(&letter, 1);
  return letter;
}

void delta_reader::read_header() {
  for (letter_ = read_letter();; letter_ = read_letter()) {
    if (letter_ == 'f' || letter_ == 't') {
      std::optional<std::string>& name = letter_ == 'f' ? header_.from : header_.to;
      if (name) {
        refuse("a second name of the same state");
      }
      name = read_name();
    } else if (letter_ == 's') {
      if (header_.size) {
        refuse("a second size");
      }
      header_.size = read_le64();
      if (*header_.size > most_bytes) {
        refuse("the size " + std::to_string(*header_.size) + " is more than a device can have");
      }
    } else {
      return;
    }
  }
}

std::string delta_reader::read_name() {
  const std::uint32_t length = read_le32();
  if (length > longest_delta_name) {
    refuse("a name of " + std::to_string(length) + " bytes is too long");
  }
  std::string name(length, '\0');
  read(name.data(), length);
  return name;
}

base::byte_range delta_reader::read_place() {
  const std::uint64_t offset = read_le64();
  const std::uint64_t length = read_le64();
  if (offset > size() || length > size() - offset) {
    refuse(std::to_string(length) + " bytes at byte " + std::to_string(offset) +
           " lie past the end of the device" +
           (header_.size ? ", which has " + std::to_string(*header_.size) + " bytes" : ""));
  }
  return {offset, offset + length};
}

std::uint64_t delta_reader::size() const {
  return header_.size.value_or(most_bytes);
}

std::optional<extent> delta_reader::next() {
  if (data_.size() > 0) {
    throw std::logic_error("the data of a record were not read");
  }
  while (!is_over_) {
    const char letter = letter_;
    if (letter == 'e') {
      require_end();
      return std::nullopt;
    }
    if (letter != 'w' && letter != 'z') {
      refuse(letter == 'f' || letter == 't' || letter == 's'
                 ? "a name or size after the first record of data"
                 : "a record of a kind that is not known");
    }
    const base::byte_range bytes = read_place();
    if (letter == 'w' && bytes.size() > 0) {
      data_ = bytes;
    } else {
      letter_ = read_letter();
    }
    if (bytes.size() > 0) {
      return extent{bytes, letter == 'z'};
    }
  }
  return std::nullopt;
}

void delta_reader::require_end() {
  std::byte more{};
  if (read_some(&more, 1) > 0) {
    refuse("there is more after the end of the stream");
  }
  is_over_ = true;
}

void delta_reader::start(request& wanted) {
  if (wanted.what != request::kind::read || wanted.offset != data_.first ||
      wanted.size > data_.size()) {
    throw std::logic_error("a delta is read in order");
  }
  read(wanted.memory, wanted.size);
  data_.first += wanted.size;
  if (data_.size() == 0) {
    data_ = {};
    letter_ = read_letter();
  }
  wanted.error = 0;
  note_done(wanted);
}

}  // namespace copy
