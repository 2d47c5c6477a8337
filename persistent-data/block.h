// Metadata blocks: their size, their numbers, and memory to hold them.
//
// `pd` is the namespace of persistent-data: everything that is true of device-mapper metadata in
// general. It knows nothing of what the structures hold. Thread safe: no shared state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>

namespace pd {

using block_nr = std::uint64_t;
inline constexpr std::uint32_t block_nr_size = sizeof(block_nr);  // of one that is a value

inline constexpr std::size_t block_size = 4096;  // bytes

// The number 0, the superblock's, also means "none" wherever a block is named (doc/format.md 1).
inline constexpr block_nr no_block = 0;

// What is used of a metadata device, in blocks; the rest of a larger one is ignored.
inline constexpr block_nr max_metadata_blocks = 255 * 16320;

// Memory for `count` blocks, aligned for direct I/O, zeroed.
class block_buffer {
 public:
  explicit block_buffer(std::size_t count)
      : bytes_(static_cast<std::byte*>(std::aligned_alloc(block_size, count * block_size))) {
    if (bytes_ == nullptr && count != 0) {
      throw std::bad_alloc();
    }
    if (count != 0) {
      std::memset(bytes_.get(), 0, count * block_size);
    }
  }

  std::byte* block(std::size_t i) { return bytes_.get() + i * block_size; }
  const std::byte* block(std::size_t i) const { return bytes_.get() + i * block_size; }

 private:
  struct release {
    void operator()(std::byte* bytes) const { std::free(bytes); }
  };
  std::unique_ptr<std::byte, release> bytes_;
};

}  // namespace pd
