// Takes the contents of era metadata in the order of a dump: the superblock, the writesets by
// ascending era, the era array. Bits and eras come in long pieces, ascending and without gaps.
// Thread safety: that of the sink.
#pragma once

#include <cstdint>
#include <span>

namespace era {

class metadata_sink {
 public:
  virtual ~metadata_sink() = default;

  // Block size in sectors.
  virtual void begin_superblock(std::uint32_t block_size, std::uint32_t nr_blocks,
                                std::uint32_t current_era) = 0;
  virtual void end_superblock() = 0;

  virtual void begin_writeset(std::uint32_t era, std::uint32_t nr_bits) = 0;
  virtual void end_writeset() = 0;

  // `count` bits from `first` on; the lowest bit of the first word is bit `first`.
  virtual void bits(std::uint64_t first, std::uint64_t count,
                    std::span<const std::uint64_t> words) = 0;

  virtual void begin_era_array() = 0;
  virtual void end_era_array() = 0;
  virtual void eras(std::uint64_t first, std::span<const std::uint32_t> eras) = 0;
};

// Drops everything: to read all before a first byte is printed.
class null_sink final : public metadata_sink {
 public:
  void begin_superblock(std::uint32_t, std::uint32_t, std::uint32_t) override {}
  void end_superblock() override {}
  void begin_writeset(std::uint32_t, std::uint32_t) override {}
  void end_writeset() override {}
  void bits(std::uint64_t, std::uint64_t, std::span<const std::uint64_t>) override {}
  void begin_era_array() override {}
  void end_era_array() override {}
  void eras(std::uint64_t, std::span<const std::uint32_t>) override {}
};

}  // namespace era
