#include "era/list/since_state.h"

#include <map>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/json.h"

namespace era {
namespace {

constexpr std::uint32_t version = 1;

constexpr const char* what_to_do =
    "Take everything as written: move the file away, and copy the whole device.";

std::string stated(const std::string& file, const std::string& reason) {
  return file + ": not a state that a list left: " + reason + "\n" + what_to_do;
}

// What the top level of an object says, without a tree of it: the library's trees need memory to
// give memory back, and end the process where there is none.
class members final : public nlohmann::json_sax<nlohmann::json> {
 public:
  enum class kind { number, flag, other };
  struct value {
    kind what = kind::other;
    std::uint64_t number = 0;  // 1 for true
  };

  // Empty if there is no such member.
  std::optional<value> find(const std::string& name) const {
    const auto found = all_.find(name);
    return found == all_.end() ? std::nullopt : std::optional(found->second);
  }

  bool null() override { return take({}); }
  bool boolean(bool given) override { return take({kind::flag, given ? 1U : 0U}); }
  bool number_integer(number_integer_t) override { return take({}); }
  bool number_unsigned(number_unsigned_t given) override { return take({kind::number, given}); }
  bool number_float(number_float_t, const string_t&) override { return take({}); }
  bool string(string_t&) override { return take({}); }
  bool binary(binary_t&) override { return take({}); }
  bool start_object(std::size_t) override { return depth_ == 0 ? enter() : take({}) && enter(); }
  bool start_array(std::size_t) override { return take({}) && enter(); }
  bool end_object() override { return leave(); }
  bool end_array() override { return leave(); }
  bool key(string_t& name) override {
    if (depth_ == 1) {
      name_ = name;
    }
    return true;
  }
  bool parse_error(std::size_t, const std::string&, const nlohmann::detail::exception&) override {
    return false;
  }

 private:
  // False for what is not an object at the top.
  bool take(const value& given) {
    if (depth_ == 1) {
      all_[name_] = given;
    }
    return depth_ > 0;
  }
  bool enter() {
    ++depth_;
    return true;
  }
  bool leave() {
    --depth_;
    return true;
  }

  std::map<std::string, value> all_;
  std::string name_;
  std::size_t depth_ = 0;
};

std::uint32_t number_in(const members& object, const char* name, const std::string& file) {
  const auto found = object.find(name);
  if (!found || found->what != members::kind::number || found->number > UINT32_MAX) {
    throw base::data_error(
        stated(file, std::string("its '") + name + "' is not a number from 0 to 4294967295"));
  }
  return static_cast<std::uint32_t>(found->number);
}

// Absent in what an older version has written.
bool flag_in(const members& object, const char* name, const std::string& file) {
  const auto found = object.find(name);
  if (found && found->what != members::kind::flag) {
    throw base::data_error(stated(file, std::string("its '") + name + "' is not true or false"));
  }
  return found && found->number == 1;
}

}  // namespace

std::string encode_since_state(const since_state& state) {
  base::text text;
  base::json_writer json(text);
  json.begin_object();
  json.number("version", version);
  json.number("next_since", state.next_since);
  json.number("block_size_sectors", state.block_size);
  json.number("nr_blocks", state.nr_blocks);
  json.number("current_era", state.current_era);
  json.boolean("in_progress", state.in_progress);
  json.end_object();
  return std::string(text.view());
}

since_state decode_since_state(std::string_view text, const std::string& file) {
  if (text.size() > longest_since_state) {
    throw base::data_error(stated(file, "it is too long"));
  }
  members object;
  if (!nlohmann::json::sax_parse(text, &object)) {
    throw base::data_error(stated(file, "it is not a JSON object"));
  }
  if (number_in(object, "version", file) != version) {
    throw base::data_error(file + ": a newer version of era-tools has written it");
  }
  const since_state state{
      number_in(object, "next_since", file), number_in(object, "block_size_sectors", file),
      number_in(object, "nr_blocks", file), number_in(object, "current_era", file),
      flag_in(object, "in_progress", file)};
  if (!is_data_block_size(state.block_size)) {
    throw base::data_error(stated(file, "its data block size is not a multiple of 8 sectors"));
  }
  return state;
}

void require_same_device(const since_state& last, const superblock& now, const std::string& file) {
  const auto refuse = [&](const std::string& reason) {
    throw base::data_error(file + ": " + reason +
                           ": this is not the metadata that was listed last time\n" + what_to_do);
  };
  if (now.data_block_size != last.block_size) {
    refuse("data blocks have " + std::to_string(now.data_block_size) +
           " sectors, last time they had " + std::to_string(last.block_size));
  }
  if (now.current_era < last.current_era) {
    refuse("the current era is " + std::to_string(now.current_era) + ", last time it was " +
           std::to_string(last.current_era));
  }
}

}  // namespace era
