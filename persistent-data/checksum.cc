#include "persistent-data/checksum.h"

#ifdef USE_ISAL
#include <isa-l/crc.h>
#endif

#include <boost/crc.hpp>

#include "base/bytes.h"

namespace pd {

std::uint32_t body_crc(const std::byte* block) {
#ifdef USE_ISAL
  // ISA-L inverts neither before nor after and only reads, though its pointer is not const.
  auto* body = reinterpret_cast<unsigned char*>(const_cast<std::byte*>(block + 4));
  return crc32_iscsi(body, static_cast<int>(block_size - 4), 0xFFFFFFFF);
#else
  return body_crc_by_boost(block);
#endif
}

std::uint32_t body_crc_by_boost(const std::byte* block) {
  boost::crc_optimal<32, 0x1EDC6F41, 0xFFFFFFFF, 0, true, true> crc;
  crc.process_bytes(block + 4, block_size - 4);
  return crc.checksum();
}

std::uint32_t stored_checksum(const std::byte* block) {
  return base::get_le32(block);
}

block_nr stored_number(const block_type& type, const std::byte* block) {
  return base::get_le64(block + type.number_at);
}

bool has_sound_checksum(const block_type& type, const std::byte* block) {
  return (body_crc(block) ^ stored_checksum(block)) == type.salt;
}

void seal_block(const block_type& type, block_nr number, std::byte* block) {
  base::put_le64(block + type.number_at, number);
  base::put_le32(block, body_crc(block) ^ type.salt);
}

}  // namespace pd
