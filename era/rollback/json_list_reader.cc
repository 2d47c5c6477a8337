#include "era/rollback/json_list_reader.h"

#include <array>
#include <cstddef>
#include <iterator>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <string>

#include "base/error.h"
#include "era/rollback/list_builder.h"

namespace era {
namespace {

// Between two things that the text says.
constexpr std::size_t longest_token = 1024 * 1024;
constexpr std::size_t deepest = 16;

// What is wrong with the text, without its name.
class unsound_list : public base::data_error {
 public:
  using data_error::data_error;
};

// The text, a character at a time.
class characters {
 public:
  explicit characters(base::text_pieces& from) : from_(from) { fetch(); }

  bool ended() const { return at_ == piece_.size(); }
  char present() const { return piece_[at_]; }

  void advance() {
    if (++at_ == piece_.size()) {
      fetch();
    }
  }

  // A token came to its end.
  void token_ended() { since_token_ = 0; }

 private:
  void fetch() {
    since_token_ += piece_.size();
    if (since_token_ > longest_token) {
      throw unsound_list("a name, number or text of more than a million bytes");
    }
    piece_ = from_.next();
    at_ = 0;
  }

  base::text_pieces& from_;
  std::string_view piece_;
  std::size_t at_ = 0;
  std::size_t since_token_ = 0;  // in earlier pieces
};

class character_iterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = char;

  character_iterator() = default;  // the end
  explicit character_iterator(characters& from) : from_(&from) {}

  char operator*() const { return from_->present(); }
  character_iterator& operator++() {
    from_->advance();
    return *this;
  }
  character_iterator operator++(int) {
    const character_iterator before = *this;
    from_->advance();
    return before;
  }
  bool operator==(const character_iterator& other) const { return ended() == other.ended(); }
  bool operator!=(const character_iterator& other) const { return !(*this == other); }

 private:
  bool ended() const { return from_ == nullptr || from_->ended(); }

  characters* from_ = nullptr;
};

// What the object says besides its ranges.
class list_head {
 public:
  // False if it is known already.
  bool put(const std::string& name, std::uint64_t value) {
    return numbers_.emplace(name, value).second;
  }

  std::optional<std::uint64_t> find(const std::string& name) const {
    const auto found = numbers_.find(name);
    return found == numbers_.end() ? std::nullopt : std::optional(found->second);
  }

  std::uint64_t get(const std::string& name) const {
    const auto value = find(name);
    if (!value) {
      throw unsound_list("there is no " + name + ", or it comes after the ranges");
    }
    return *value;
  }

  static bool is_number(const std::string& name) {
    static const std::set<std::string> names = {"block_size_bytes",  "nr_blocks",
                                                "total_blocks",      "written_since",
                                                "granularity_bytes", "origin_bytes"};
    return names.contains(name);
  }

  std::string unit;

 private:
  std::map<std::string, std::uint64_t> numbers_;
};

// What the numbers of the ranges mean.
class list_scale {
 public:
  explicit list_scale(const list_head& head) {
    block_bytes_ = head.get("block_size_bytes");
    const std::uint64_t nr_blocks = head.get("nr_blocks");
    if (block_bytes_ == 0 || block_bytes_ % sector_bytes != 0 || nr_blocks > max_data_blocks ||
        !fits_a_device(block_bytes_ / sector_bytes, nr_blocks)) {
      throw unsound_list(std::to_string(nr_blocks) + " blocks of " + std::to_string(block_bytes_) +
                         " bytes are not those of a device");
    }
    device_bytes_ = block_bytes_ * nr_blocks;
    origin_bytes_ = head.find("origin_bytes").value_or(device_bytes_);
    if (origin_bytes_ > device_bytes_) {
      throw unsound_list("origin_bytes is more than all blocks together");
    }
    step_ = head.find("granularity_bytes").value_or(block_bytes_);
    if (step_ == 0 || step_ % sector_bytes != 0) {
      throw unsound_list("granularity_bytes is not a positive multiple of " +
                         std::to_string(sector_bytes));
    }
    if (base::ceil_div(origin_bytes_, step_) > most_rollback_blocks) {
      throw unsound_list("the origin has more than " + std::to_string(most_rollback_blocks) +
                         " blocks of " + std::to_string(step_) + " bytes");
    }
    unit_ = head.unit.empty() || head.unit == "blocks" ? step_
            : head.unit == "sectors"                   ? sector_bytes
            : head.unit == "bytes"                     ? 1
                                                       : 0;
    if (unit_ == 0) {
      throw unsound_list("unit is neither blocks nor sectors nor bytes");
    }
  }

  std::uint64_t nr_steps() const { return base::ceil_div(origin_bytes_, step_); }
  std::uint64_t step_sectors() const { return step_ / sector_bytes; }
  std::uint64_t device_sectors() const { return device_bytes_ / sector_bytes; }

  // The step at which a range begins or ends.
  std::uint64_t step_at(std::uint64_t number) const {
    if (number > UINT64_MAX / unit_) {
      throw unsound_list(std::to_string(number) + " is beyond the end of the origin");
    }
    const std::uint64_t bytes = number * unit_;
    if (bytes % step_ != 0 && bytes != origin_bytes_) {
      throw unsound_list(std::to_string(number) + " is not at the edge of a block");
    }
    return base::ceil_div(bytes, step_);
  }

 private:
  std::uint64_t block_bytes_ = 0;
  std::uint64_t device_bytes_ = 0;
  std::uint64_t origin_bytes_ = 0;  // where ranges end
  std::uint64_t step_ = 0;          // bytes that a bit stands for
  std::uint64_t unit_ = 0;          // bytes that 1 stands for
};

// Hears what the parser reads. Throws unsound_list.
class list_handler {
 public:
  explicit list_handler(characters& text) : text_(text) {}

  bool null() { return other_value(); }
  bool boolean(bool) { return other_value(); }
  bool number_integer(std::int64_t) { return other_value(); }
  bool number_float(double, const std::string&) { return other_value(); }
  bool binary(std::vector<std::uint8_t>&) { return other_value(); }

  bool number_unsigned(std::uint64_t value) {
    switch (place_) {
      case place::top:
        put_in_head(value);
        break;
      case place::pair:
      case place::object:
        put_in_range(value);
        break;
      default:
        break;
    }
    return checked();
  }

  bool string(std::string& value) {
    if (place_ == place::top && name_ == "unit") {
      head_.unit = value;
      text_.token_ended();
      return true;
    }
    if (place_ == place::top && name_ == "error") {
      throw unsound_list("is not a list, but says why there is none: " + value.substr(0, 1000));
    }
    return other_value();
  }

  bool key(std::string& name) {
    name_ = name;
    text_.token_ended();
    return true;
  }

  bool start_object(std::size_t) { return start(place::object); }
  bool start_array(std::size_t) { return start(place::pair); }
  bool end_object() { return end(); }
  bool end_array() { return end(); }

  bool parse_error(std::size_t at, const std::string&, const nlohmann::detail::exception&) {
    throw unsound_list("byte " + std::to_string(at) + ": the JSON is cut off here, or damaged");
  }

  // All was read.
  changed_blocks finish(const std::string& name, std::optional<std::uint32_t> block_size) {
    if (!builder_) {
      throw unsound_list("there are no ranges");
    }
    const std::uint64_t total = head_.get("total_blocks");
    if (builder_->total() != total) {
      throw unsound_list("the ranges hold " + std::to_string(builder_->total()) +
                         " blocks, but total_blocks is " + std::to_string(total));
    }
    const std::uint64_t said = head_.get("block_size_bytes") / sector_bytes;
    if (block_size && *block_size != said) {
      throw unsound_list("its blocks have " + std::to_string(said) + " sectors, not " +
                         std::to_string(*block_size));
    }
    const auto since = head_.find("written_since");
    return {name, scale_->step_sectors(), builder_->finish(), scale_->device_sectors(),
            since ? std::optional(static_cast<std::uint32_t>(*since)) : std::nullopt};
  }

 private:
  enum class place { before, top, ranges, object, pair, ignored };

  bool checked() {
    text_.token_ended();
    if (place_ == place::before || place_ == place::ranges) {
      throw unsound_list("a number where there should be an object or a pair");
    }
    return true;
  }

  static bool is_known(const std::string& name) {
    return name == "ranges" || name == "unit" || name == "error" || list_head::is_number(name);
  }

  void put_in_head(std::uint64_t value) {
    if (name_ == "written_before") {
      throw unsound_list("leaves out what was written in era " + std::to_string(value) +
                         " or later, which is stale as well");
    }
    if (!list_head::is_number(name_)) {
      other_value();
    } else if (!head_.put(name_, value)) {
      refuse_twice();
    }
  }

  // A value of a kind that only unknown members have.
  bool other_value() {
    text_.token_ended();
    if (place_ != place::ignored && (place_ != place::top || is_known(name_))) {
      throw unsound_list(name_ + " has a value that makes no sense");
    }
    return true;
  }

  bool start(place of_range) {
    text_.token_ended();
    if (++depth_ > deepest) {
      throw unsound_list("objects and arrays are nested too deeply");
    }
    switch (place_) {
      case place::before:
        place_ = place::top;
        if (of_range != place::object) {
          throw unsound_list("is not an object");
        }
        break;
      case place::top:
        start_member(of_range);
        break;
      case place::ranges:
        place_ = of_range;
        range_ = {};
        nr_in_range_ = 0;
        break;
      case place::ignored:
        break;
      default:
        throw unsound_list("a range has a value that is not a number");
    }
    return true;
  }

  void start_member(place kind) {
    if (name_ != "ranges") {
      if (is_known(name_)) {
        throw unsound_list(name_ + " has a value that makes no sense");
      }
      place_ = place::ignored;
      return;
    }
    if (builder_) {
      refuse_twice();
    }
    if (kind != place::pair) {
      throw unsound_list("ranges is not an array");
    }
    scale_.emplace(head_);
    builder_.emplace(scale_->nr_steps());
    place_ = place::ranges;
  }

  bool end() {
    text_.token_ended();
    --depth_;
    if (place_ == place::object || place_ == place::pair) {
      end_range();
      place_ = place::ranges;
    } else if (depth_ == 1) {
      place_ = place::top;
    }
    return true;
  }

  void put_in_range(std::uint64_t value) {
    const bool is_object = place_ == place::object;
    if (is_object && name_ != "begin" && name_ != "end") {
      throw unsound_list("a range with the member " + name_.substr(0, 60));
    }
    const std::size_t which = is_object ? (name_ == "begin" ? 0 : 1) : nr_in_range_;
    if (which > 1 || range_[which]) {
      throw unsound_list("a range with too many numbers");
    }
    range_[which] = value;
    ++nr_in_range_;
  }

  void end_range() {
    if (nr_in_range_ != 2) {
      throw unsound_list("a range without two numbers");
    }
    const std::uint64_t begin = *range_[0];
    std::uint64_t end = *range_[1];
    if (place_ == place::pair) {
      if (end > UINT64_MAX - begin) {
        throw unsound_list("a range that is longer than 64 bits can count");
      }
      end += begin;
    }
    const std::uint64_t first = scale_->step_at(begin);
    const std::uint64_t last = scale_->step_at(end);
    try {
      builder_->add(first, last);
    } catch (const base::data_error& wrong) {
      throw unsound_list(wrong.what());
    }
  }

  [[noreturn]] void refuse_twice() const { throw unsound_list(name_ + " is given twice"); }

  characters& text_;
  place place_ = place::before;
  std::size_t depth_ = 0;
  std::string name_;  // of the present member
  list_head head_;
  std::optional<list_scale> scale_;
  std::optional<list_builder> builder_;
  std::array<std::optional<std::uint64_t>, 2> range_;
  std::size_t nr_in_range_ = 0;
};

}  // namespace

changed_blocks read_json_list(base::text_pieces& from, std::optional<std::uint32_t> block_size) {
  characters text(from);
  list_handler heard(text);
  try {
    nlohmann::json::sax_parse(character_iterator(text), character_iterator(), &heard);
    changed_blocks changed = heard.finish(from.name(), block_size);
    from.require_unchanged();
    return changed;
  } catch (const unsound_list& wrong) {
    throw base::data_error(from.name() + ": " + wrong.what());
  }
}

}  // namespace era
