#include "era/format/writeset.h"

#include "base/bytes.h"

namespace era {

writeset decode_writeset(std::uint32_t era, const std::byte* value) {
  return {era, base::get_le32(value), base::get_le64(value + 4)};
}

void encode_writeset(const writeset& from, std::byte* value) {
  base::put_le32(value, from.nr_bits);
  base::put_le64(value + 4, from.root);
}

}  // namespace era
