// A delta stream, and the same bytes as a state file and as the name of a state: a stream is
// applied or refused as a plain reading of doc/delta.md says, to the same bytes; and what is
// accepted of the others says the same when it is written again.
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "copy/copier.h"
#include "copy/delta.h"
#include "era/list/delta_name.h"
#include "era/list/since_state.h"
#include "fuzzing/invariants.h"
#include "fuzzing/memory_file.h"

namespace {

constexpr std::uint64_t target_bytes = 1 << 20;
constexpr std::uint64_t most_bytes = INT64_MAX;

// All is done at once.
class memory_target final : public copy::endpoint {
 public:
  const std::string& name() const override { return name_; }
  std::uint64_t size() const override { return bytes.size(); }
  void start(copy::request& wanted) override {
    fuzz::require(wanted.size > 0 && wanted.offset + wanted.size <= bytes.size(),
                  "a request lies within the target");
    if (wanted.what == copy::request::kind::write) {
      std::memcpy(bytes.data() + wanted.offset, wanted.memory, wanted.size);
    } else {
      std::memset(bytes.data() + wanted.offset, 0, wanted.size);
    }
    wanted.error = 0;
    note_done(wanted);
  }

  std::string bytes = std::string(target_bytes, '-');

 private:
  std::string name_ = "target";
};

// Reads a stream as the document says it, all of it in memory.
class plain_reading {
 public:
  explicit plain_reading(std::string_view text) : text_(text) {}

  // What becomes of the bytes of a target; empty if the stream is to be refused.
  std::optional<std::string> apply_to(std::string bytes) {
    if (take(12) != "rbd diff v1\n") {
      return std::nullopt;
    }
    bool has_data = false;
    for (char letter = take_letter(); letter != 'e'; letter = take_letter()) {
      const bool is_header = letter == 'f' || letter == 't' || letter == 's';
      if (is_header ? has_data || !take_header(letter) : !take_data(letter, bytes)) {
        return std::nullopt;
      }
      has_data = has_data || !is_header;
    }
    return at_ == text_.size() && !is_cut_ ? std::optional(bytes) : std::nullopt;
  }

 private:
  std::string_view take(std::uint64_t size) {
    is_cut_ = is_cut_ || size > text_.size() - at_;
    if (is_cut_) {
      return {};
    }
    at_ += size;
    return text_.substr(at_ - size, size);
  }

  char take_letter() {
    const std::string_view letter = take(1);
    return letter.empty() ? '\0' : letter.front();
  }

  std::uint64_t take_number(std::size_t bytes) {
    const std::string_view little_endian = take(bytes);
    std::uint64_t value = 0;
    for (std::size_t i = little_endian.size(); i-- > 0;) {
      value = value << 8 | static_cast<unsigned char>(little_endian[i]);
    }
    return value;
  }

  bool take_header(char letter) {
    if (seen_.find(letter) != std::string::npos) {
      return false;
    }
    seen_ += letter;
    if (letter == 's') {
      size_ = take_number(8);
      return !is_cut_ && size_ <= most_bytes;
    }
    const std::uint64_t length = take_number(4);
    take(length);
    return !is_cut_ && length <= copy::longest_delta_name;
  }

  bool take_data(char letter, std::string& bytes) {
    if (letter != 'w' && letter != 'z') {
      return false;
    }
    const std::uint64_t offset = take_number(8);
    const std::uint64_t length = take_number(8);
    if (is_cut_ || offset > size_ || length > size_ - offset ||
        (length > 0 && offset + length > bytes.size())) {
      return false;
    }
    if (length > 0) {
      const std::string data =
          letter == 'w' ? std::string(take(length)) : std::string(length, '\0');
      if (is_cut_) {
        return false;
      }
      bytes.replace(offset, length, data);
    }
    return true;
  }

  std::string_view text_;
  std::size_t at_ = 0;
  bool is_cut_ = false;
  std::string seen_;
  std::uint64_t size_ = most_bytes;
};

void check_stream(std::string_view text) {
  fuzz::memory_file file;
  file.put(text);
  memory_target target;
  const std::optional<std::string> expected = plain_reading(text).apply_to(target.bytes);
  bool is_accepted = true;
  try {
    copy::delta_reader delta(file.fd(), "delta");
    base::no_progress silent;
    copy::copy_extents(
        delta, target, [&] { return delta.next(); }, 0, {}, silent);
  } catch (const base::error&) {
    is_accepted = false;
  }
  fuzz::require(is_accepted == expected.has_value(), "a stream is refused if it is wrong");
  fuzz::require(!expected || target.bytes == *expected, "a stream leaves what it says");
}

void check_state(std::string_view text) {
  std::optional<era::since_state> state;
  try {
    state = era::decode_since_state(text, "state");
  } catch (const base::data_error&) {
  }
  if (state) {
    fuzz::require(era::decode_since_state(era::encode_since_state(*state), "state") == *state,
                  "a state is read as it was written");
  }
  if (const auto named = era::parse_delta_name(text)) {
    fuzz::require(era::delta_name(*named) == text, "a name has one spelling");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_stream(text);
  check_state(text);
  return 0;
}
