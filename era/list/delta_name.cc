#include "era/list/delta_name.h"

#include "base/number.h"
#include "era/format/superblock.h"

namespace era {
namespace {

constexpr std::string_view prefix = "era-";

}  // namespace

std::string delta_name(const since_state& state) {
  return std::string(prefix) + std::to_string(state.next_since) + "-" +
         std::to_string(state.nr_blocks) + "x" + std::to_string(state.block_size);
}

std::optional<since_state> parse_delta_name(std::string_view name) {
  const std::size_t dash = name.find('-', prefix.size());
  const std::size_t cross = name.find('x', prefix.size());
  if (!name.starts_with(prefix) || cross == name.npos || dash == name.npos || cross < dash) {
    return std::nullopt;
  }
  const auto era = base::parse_number(name.substr(prefix.size(), dash - prefix.size()), UINT32_MAX);
  const auto blocks = base::parse_number(name.substr(dash + 1, cross - dash - 1), UINT32_MAX);
  const auto size = base::parse_number(name.substr(cross + 1), UINT32_MAX);
  if (!era || !blocks || !size || !is_data_block_size(static_cast<std::uint32_t>(*size))) {
    return std::nullopt;
  }
  since_state state;
  state.next_since = static_cast<std::uint32_t>(*era);
  state.block_size = static_cast<std::uint32_t>(*size);
  state.nr_blocks = static_cast<std::uint32_t>(*blocks);
  state.current_era = state.next_since - (state.next_since > 0 ? 1 : 0);
  return delta_name(state) == name ? std::optional(state) : std::nullopt;
}

}  // namespace era
