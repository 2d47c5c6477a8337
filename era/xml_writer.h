// Writes metadata as XML, byte for byte as the tools of thin-provisioning-tools 0.9.0 do
// (doc/format.md 10.1). The compact form leaves out unset bits and eras of 0. Not thread safe.
#pragma once

#include "base/output.h"
#include "era/metadata_sink.h"

namespace era {

class xml_writer final : public metadata_sink {
 public:
  xml_writer(base::output& out, bool compact) : out_(out), compact_(compact) {}

  void begin_superblock(std::uint32_t block_size, std::uint32_t nr_blocks,
                        std::uint32_t current_era) override;
  void end_superblock() override;
  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits) override;
  void end_writeset() override;
  void bits(std::uint64_t first, std::uint64_t count,
            std::span<const std::uint64_t> words) override;
  void begin_era_array() override;
  void end_era_array() override;
  void eras(std::uint64_t first, std::span<const std::uint32_t> eras) override;

 private:
  base::output& out_;
  bool compact_;
};

}  // namespace era
