#include "era/read/contents_reader.h"

#include <algorithm>
#include <utility>

namespace era {

dump_reader::dump_reader(const metadata& read, era_reader& reader, bool logical)
    : metadata_(read), reader_(reader), logical_(logical) {
  if (!logical) {
    plan_writesets();
  }
  dump_section eras;
  eras.nr_lines = read.state.nr_blocks;
  sections_.push_back(eras);
  for (const dump_section& one : sections_) {
    lines_in_all_ += one.nr_lines;
  }
}

void dump_reader::plan_writesets() {
  const std::uint32_t current_era = metadata_.state.current_era;
  constexpr std::size_t none = SIZE_MAX;
  const std::size_t twin =
      metadata_.has_current ? metadata_.find_archived(current_era).value_or(none) : none;
  bool lost_are_told = reader_.lost_in_writesets().empty();
  for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
    const std::uint32_t era = metadata_.writesets[i].era;
    if (twin == i) {
      continue;  // one with the open writeset of the same era, which comes last
    }
    if (!lost_are_told && era > current_era) {
      plan_writeset(current_era, {}, true);
      lost_are_told = true;
    }
    const bool takes_lost = !lost_are_told && era == current_era;
    lost_are_told = lost_are_told || takes_lost;
    if (twin != none && era == current_era) {
      plan_writeset(era, {twin, i}, takes_lost);
    } else {
      plan_writeset(era, {i}, takes_lost);
    }
  }
  if (!lost_are_told) {
    plan_writeset(current_era, {}, true);
  }
}

void dump_reader::plan_writeset(std::uint32_t era, std::vector<std::size_t> sources,
                                bool with_lost) {
  std::uint32_t nr_bits = with_lost ? metadata_.state.nr_blocks : 0;
  for (const std::size_t i : sources) {
    nr_bits = std::max(nr_bits, metadata_.writesets[i].nr_bits);
  }
  sections_.push_back({dump_section::kind::writeset, nr_bits, era, std::move(sources), with_lost});
}

bool dump_reader::read_next(dump_window& into) {
  if (present_ == sections_.size()) {
    return false;
  }
  const dump_section& from = sections_[present_];
  into.of = &from;
  into.first = next_line_;
  into.count = std::min(era_reader::window, from.nr_lines - next_line_);
  if (from.what == dump_section::kind::writeset) {
    read_bits(into);
  } else {
    read_eras(into);
  }
  next_line_ += into.count;
  lines_done_ += into.count;
  if (next_line_ == from.nr_lines) {
    ++present_;
    next_line_ = 0;
  }
  return true;
}

void dump_reader::read_bits(dump_window& into) {
  into.words.assign(base::ceil_div(into.count, 64), 0);
  for (const std::size_t i : into.of->sources) {
    add_source(into, i);
  }
  if (into.of->with_lost) {
    add_lost(into);
  }
}

void dump_reader::add_source(dump_window& into, std::size_t i) {
  const std::uint64_t nr_bits = metadata_.writesets[i].nr_bits;
  if (into.first >= nr_bits) {
    return;
  }
  const std::uint64_t count = std::min(into.count, nr_bits - into.first);
  into.one_source.resize(base::ceil_div(count, 64));
  reader_.writeset_bits(i, into.first, count, into.one_source);
  for (std::size_t word = 0; word < into.one_source.size(); ++word) {
    into.words[word] |= into.one_source[word];
  }
}

void dump_reader::add_lost(dump_window& into) const {
  const std::uint64_t nr_blocks = metadata_.state.nr_blocks;
  for (const block_range& range : reader_.lost_in_writesets()) {
    const std::uint64_t end = std::min({range.end, into.first + into.count, nr_blocks});
    for (std::uint64_t bit = std::max(range.first, into.first); bit < end; ++bit) {
      into.words[(bit - into.first) / 64] |= std::uint64_t{1} << (bit - into.first) % 64;
    }
  }
}

void dump_reader::read_eras(dump_window& into) {
  into.eras.resize(into.count);
  if (logical_) {
    reader_.last_written(into.first, into.eras);
  } else {
    reader_.array_values(into.first, into.eras);
  }
}

}  // namespace era
