// The forms of a list, each in a file of its own; list_formats() has them all. Thread safe: no
// state that changes.
#pragma once

#include <string_view>

#include "base/json.h"
#include "era/list/list_format.h"

namespace era {

extern const list_format xml_list;
extern const list_format json_list;
extern const list_format rbd_diff_list;
extern const list_format ddrescue_list;
extern const list_format extent_list;
extern const list_format bmap_list;
extern const list_format blocks_list;
extern const list_format ranges_list;
extern const list_format bitmap_list;

// What a form that is checksummed puts where the checksum comes: the SHA-256 of the whole list with
// this in its place.
inline constexpr std::string_view checksum_place =
    "0000000000000000000000000000000000000000000000000000000000000000";

// The members of a JSON object that say all about a list but its ranges.
void put_list_facts(const styled_list& list, base::json_writer& json);

}  // namespace era
