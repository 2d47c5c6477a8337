#include "base/output.h"

#include "base/file_handle.h"

namespace base {
namespace {

constexpr std::size_t buffer_size = 256 * 1024;

}  // namespace

output::output(const std::string& path, const std::string& input_path)
    : buffer_(buffer_size), to_(open_destination(path, input_path)) {}

void output::drain() {
  const std::size_t size = used_;
  used_ = 0;
  write_all(to_->fd(), buffer_.data(), size, to_->name());
}

void output::write_long(std::string_view text) {
  drain();
  if (text.size() > buffer_.size()) {
    write_all(to_->fd(), text.data(), text.size(), to_->name());
  } else {
    *this << text;
  }
}

void output::commit() {
  drain();
  to_->finish();
}

}  // namespace base
