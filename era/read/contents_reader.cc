#include "era/read/contents_reader.h"

#include <algorithm>
#include <utility>

#include "base/conveyor.h"
#include "era/read/plausibility.h"

namespace era {
namespace {

// Windows that exist at once: one is read, others are on their way.
constexpr std::size_t windows_ahead = 3;

}  // namespace

contents_reader::contents_reader(metadata& of, problem_sink& sink, bool logical, bool repair,
                                 std::uint32_t floor)
    : metadata_(of),
      sink_(sink, of.walk.reader.usable()),
      eras_(of, sink_),
      logical_(logical),
      repair_(repair),
      floor_(floor) {}

void contents_reader::verify(base::progress& progress) {
  eras_.verify(logical_ ? era_reader::extent::device : era_reader::extent::whole, progress);
  sink_.only_new_from_now_on();
}

void contents_reader::plan() {
  sections_.clear();
  if (repair_) {
    make_sound();
  }
  if (!logical_) {
    lost_eras_ = eras_.lost_in_era_array();
    plan_writesets();
  }
  section eras;
  eras.nr_values = metadata_.superblock.nr_blocks;
  sections_.push_back(eras);
}

void contents_reader::make_sound() {
  std::uint32_t& current = metadata_.superblock.current_era;
  const std::uint32_t before = current;
  current = std::max(current, eras_.latest_in_era_array());
  std::uint32_t oldest = UINT32_MAX;
  for (std::size_t i = 0; i < metadata_.nr_archived(); ++i) {
    const std::uint32_t era = metadata_.writesets[i].era;
    current = std::max(current, era);
    oldest = era > floor_ ? std::min(oldest, era) : oldest;
  }
  if (current > before) {
    eras_.distrust_up_to(before);
    raised_from_ = before;
  }
  // A target's digestion would lower what is later in the array; the last-written eras are as true.
  logical_ = logical_ || current > before || eras_.latest_in_era_array() > oldest;
}

void contents_reader::plan_writesets() {
  const std::uint32_t current_era = metadata_.superblock.current_era;
  constexpr std::size_t none = SIZE_MAX;
  const std::size_t twin =
      metadata_.has_current ? metadata_.find_archived(current_era).value_or(none) : none;
  bool lost_are_in = eras_.lost_in_writesets().empty() && lost_eras_.empty();
  for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
    const std::uint32_t era = metadata_.era_of(i);
    if (twin == i) {
      continue;  // one with the open writeset of the same era, which comes last
    }
    if (era <= floor_) {
      continue;  // every block was written since
    }
    if (!lost_are_in && era > current_era) {
      plan_writeset(current_era, {}, true);
      lost_are_in = true;
    }
    const bool takes_lost = !lost_are_in && era == current_era;
    lost_are_in = lost_are_in || takes_lost;
    if (twin != none && era == current_era) {
      plan_writeset(era, {twin, i}, takes_lost);
    } else {
      plan_writeset(era, {i}, takes_lost);
    }
  }
  if (!lost_are_in) {
    plan_writeset(current_era, {}, true);
  }
}

void contents_reader::plan_writeset(std::uint32_t era, std::vector<std::size_t> sources,
                                    bool with_lost) {
  std::uint32_t nr_bits = with_lost ? metadata_.superblock.nr_blocks : 0;
  for (const std::size_t i : sources) {
    const writeset& set = metadata_.writesets[i];
    // Bits that are lost beyond the device's blocks count for nothing, however many.
    nr_bits = std::max(nr_bits, eras_.is_damaged(i)
                                    ? std::min(set.nr_bits, metadata_.superblock.nr_blocks)
                                    : set.nr_bits);
  }
  sections_.push_back({true, nr_bits, era, std::move(sources), with_lost});
}

void contents_reader::send_to(contents_sink& into, base::progress& progress) {
  plan();
  std::uint64_t total = 0;
  for (const section& one : sections_) {
    total += one.nr_values;
  }
  into.begin({metadata_.superblock.data_block_size, metadata_.superblock.nr_blocks,
              metadata_.superblock.current_era});
  std::uint64_t done = 0;
  std::size_t reading = 0;  // the section that is being read, ahead of what is sent
  std::uint64_t next = 0;   // value of it
  base::conveyor<contents_window> windows(windows_ahead, [&](contents_window& window) {
    while (reading < sections_.size() && next == sections_[reading].nr_values) {
      ++reading;
      next = 0;
    }
    if (reading == sections_.size()) {
      return false;
    }
    read_window(sections_[reading], next, window);
    next += window.count;
    return true;
  });
  for (const section& one : sections_) {
    if (one.is_writeset) {
      into.begin_writeset(one.era, static_cast<std::uint32_t>(one.nr_values), {});
    }
    for (std::uint64_t sent = 0; sent < one.nr_values;) {
      const window_ptr window = windows.next();
      sent += window->count;
      done += window->count;
      if (one.is_writeset) {
        into.bits(window);
      } else {
        into.eras(window);
      }
      progress.at(done, total);
    }
    if (one.is_writeset) {
      into.end_writeset();
    }
  }
}

contents_summary contents_reader::summary() const {
  const superblock& from = metadata_.superblock;
  contents_summary sent;
  sent.facts = {from.data_block_size, from.nr_blocks, from.current_era};
  sent.assumed = raised_from_ ? from.nr_blocks : eras_.nr_lost();
  sent.missing_era = floor_ > 0 ? std::optional(floor_) : std::nullopt;
  sent.raised_from = raised_from_;
  return sent;
}

void contents_reader::read_window(const section& of, std::uint64_t first, contents_window& into) {
  into.first = first;
  into.count = std::min(era_reader::window, of.nr_values - first);
  if (of.is_writeset) {
    read_bits(of, into);
    return;
  }
  read_eras(into);
}

void contents_reader::read_eras(contents_window& into) {
  into.eras.resize(into.count);
  if (logical_) {
    eras_.last_written(into.first, into.eras);
  } else {
    eras_.array_values(into.first, into.eras);
    for (const block_range& lost : lost_eras_) {
      const std::uint64_t end = std::min(lost.end, into.first + into.count);
      for (std::uint64_t block = std::max(lost.first, into.first); block < end; ++block) {
        into.eras[block - into.first] = 0;
      }
    }
  }
  if (floor_ > 0) {
    for (std::uint32_t& era : into.eras) {
      era = std::max(era, floor_);
    }
  }
}

void contents_reader::read_bits(const section& of, contents_window& into) {
  into.bits.assign(base::ceil_div(into.count, pd::bits_per_word), 0);
  for (const std::size_t i : of.sources) {
    add_source(into, i);
  }
  if (of.with_lost) {
    add_lost(into);
  }
}

void contents_reader::add_source(contents_window& into, std::size_t i) {
  const std::uint64_t nr_bits = metadata_.writesets[i].nr_bits;
  if (into.first >= nr_bits) {
    return;
  }
  const std::uint64_t count = std::min(into.count, nr_bits - into.first);
  one_source_.resize(base::ceil_div(count, pd::bits_per_word));
  eras_.writeset_bits(i, into.first, count, one_source_);
  for (std::size_t word = 0; word < one_source_.size(); ++word) {
    into.bits[word] |= one_source_[word];
  }
}

void contents_reader::add_lost(contents_window& into) const {
  const std::uint64_t nr_blocks = metadata_.superblock.nr_blocks;
  for (const std::vector<block_range>* ranges : {&eras_.lost_in_writesets(), &lost_eras_}) {
    for (const block_range& range : *ranges) {
      const std::uint64_t end = std::min({range.end, into.first + into.count, nr_blocks});
      for (std::uint64_t block = std::max(range.first, into.first); block < end; ++block) {
        const std::uint64_t bit = block - into.first;
        into.bits[bit / pd::bits_per_word] |= std::uint64_t{1} << bit % pd::bits_per_word;
      }
    }
  }
}

contents_summary send_contents(metadata_file& from, const contents_options& options,
                               problem_sink& problems, contents_sink& into,
                               base::progress& progress) {
  metadata found = from.load(options.state, problems);
  const std::optional<std::uint32_t> missing = report_missing_eras(found, 0, problems);
  contents_reader contents(found, problems, options.logical, options.repair, missing.value_or(0));
  progress.begin("verifying", pd::block_size);
  contents.verify(progress);
  const std::uint64_t blocks_read = from.blocks().blocks_read() + 1;
  from.require_held(found);
  progress.begin("dumping", 0);
  contents.send_to(into, progress);
  from.require_held(found);
  into.end();
  contents_summary sent = contents.summary();
  sent.blocks_read = blocks_read;
  return sent;
}

}  // namespace era
