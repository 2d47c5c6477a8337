// Where a tool's result goes: standard output, a file, or something that is written in place.
//
// A file appears under its name only by commit(), complete and on stable storage: until then it is
// a temporary file, which goes away if the output is dropped (base/destination.h says how). Fifos,
// character devices and standard output are written in place. Every write, flush and close is
// checked; a failure throws io_error naming the file, or broken_pipe. Not thread safe.
#pragma once

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/destination.h"

namespace base {

class output {
 public:
  // `path` "-" or empty: standard output. `input_path`, if not empty, names the file that is being
  // read: writing over it is refused.
  explicit output(const std::string& path, const std::string& input_path = "");
  output(const output&) = delete;
  output& operator=(const output&) = delete;

  output& operator<<(std::string_view text) {
    if (text.size() > room()) {
      write_long(text);
    } else {
      text.copy(buffer_.data() + used_, text.size());
      used_ += text.size();
    }
    return *this;
  }

  output& number(std::uint64_t value) {
    if (room() < 20) {
      drain();
    }
    used_ = static_cast<std::size_t>(
        std::to_chars(buffer_.data() + used_, buffer_.data() + buffer_.size(), value).ptr -
        buffer_.data());
    return *this;
  }

  // Nothing may follow. An output that is never committed leaves no file.
  void commit();

 private:
  std::size_t room() const { return buffer_.size() - used_; }
  void drain();
  void write_long(std::string_view text);

  std::vector<char> buffer_;
  std::size_t used_ = 0;
  std::unique_ptr<destination> to_;
};

}  // namespace base
