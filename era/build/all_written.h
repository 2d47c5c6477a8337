// Makes contents that are older than the device safe: every block counts as written in a new
// current era, later than any that somebody can have noted from the device since. A sink that hands
// on to another one the facts with that era, no writesets, and an era array full of it.
//
// Bits and eras are not looked at, nor whether they contradict each other: what becomes of them
// does not depend on it. Not thread safe.
#pragma once

#include <cstdint>
#include <optional>

#include "era/contents.h"

namespace era {

class all_written final : public contents_sink {
 public:
  // How much later the new era is where none is given: checkpoints of 100 years, at one an hour.
  static constexpr std::uint32_t usual_distance = 1'000'000;

  // `to` must stay.
  explicit all_written(contents_sink& to, std::optional<std::uint32_t> new_era = std::nullopt)
      : to_(to), new_era_(new_era) {}

  // Throws contents_conflict where the new era is not later than that of the facts, or there is
  // none so much later.
  void begin(const superblock_facts& facts) override;
  void begin_writeset(std::uint32_t, std::uint32_t, text_position) override {}
  void bits(std::span<const contents_run>) override {}
  void bits(window_ptr) override {}
  void end_writeset() override {}
  void eras(std::span<const contents_run>) override {}
  void eras(window_ptr) override {}
  void end() override;

  // As they were handed on.
  const superblock_facts& facts() const { return facts_; }

 private:
  std::uint32_t later_than(std::uint32_t current_era) const;

  contents_sink& to_;
  std::optional<std::uint32_t> new_era_;
  superblock_facts facts_;
};

}  // namespace era
