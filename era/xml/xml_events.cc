#include "era/xml/xml_events.h"

#include <utility>

namespace era {

// Joins what goes on with the same value, and hands it on in batches.
class xml_events::joiner {
 public:
  explicit joiner(contents_sink& sink) : sink_(sink), runs_(batch) {}

  void begin(bool of_bits) {
    if (of_bits_ != of_bits) {
      flush();
      of_bits_ = of_bits;
    }
  }

  void add(const contents_run& run) {
    if (count_ > 0) {
      contents_run& last = runs_[count_ - 1];
      if (last.value == run.value && std::uint64_t{last.first} + last.count == run.first) {
        last.count += run.count;
        return;
      }
    }
    next() = run;
  }

  void add_lines(std::span<const leaf_scanner::leaf> lines, std::uint64_t first_line) {
    for (std::size_t i = 0, end; i < lines.size(); i = end) {
      const leaf_scanner::leaf& leaf = lines[i];
      for (end = i + 1; end < lines.size() && lines[end].value == leaf.value &&
                        lines[end].block == std::uint64_t{lines[end - 1].block} + 1;
           ++end) {
      }
      const auto count = static_cast<std::uint32_t>(end - i);
      if (i == 0) {
        add({leaf.block, count, leaf.value, {first_line, leaf.column}});
        continue;
      }
      contents_run& run = next();
      run.first = leaf.block;
      run.count = count;
      run.value = leaf.value;
      run.at.line = first_line + i;
      run.at.column = leaf.column;
    }
  }

  void flush() {
    const auto runs = std::span(std::as_const(runs_)).first(std::exchange(count_, 0));
    if (runs.empty()) {
      return;
    }
    if (of_bits_) {
      sink_.bits(runs);
    } else {
      sink_.eras(runs);
    }
  }

 private:
  static constexpr std::size_t batch = 4096;

  // To be filled in at once.
  contents_run& next() {
    if (count_ == batch) {
      flush();
    }
    return runs_[count_++];
  }

  contents_sink& sink_;
  bool of_bits_ = false;
  std::vector<contents_run> runs_;
  std::size_t count_ = 0;
};

void xml_events::clear() {
  events_.clear();
  runs_.clear();
  nr_lines_ = 0;
  failure_ = nullptr;
}

void xml_events::begin(const superblock_facts& facts) {
  event& added = events_.emplace_back(event{kind::begin});
  added.numbers[0] = facts.block_size;
  added.numbers[1] = facts.nr_blocks;
  added.numbers[2] = facts.current_era;
}

void xml_events::begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) {
  event& added = events_.emplace_back(event{kind::begin_writeset});
  added.numbers[0] = era;
  added.numbers[1] = nr_bits;
  added.at = at;
}

void xml_events::end_writeset() {
  events_.emplace_back(event{kind::end_writeset});
}

void xml_events::remark(std::string text) {
  events_.emplace_back(event{kind::remark}).text = std::move(text);
}

void xml_events::add_run(bool of_bits, const contents_run& run) {
  const bool goes_on =
      !events_.empty() && events_.back().what == kind::runs && events_.back().of_bits == of_bits;
  if (!goes_on) {
    event& added = events_.emplace_back(event{kind::runs});
    added.of_bits = of_bits;
    added.first = runs_.size();
  }
  runs_.push_back(run);
  events_.back().end = runs_.size();
}

std::span<leaf_scanner::leaf> xml_events::room_for_lines(std::size_t bytes_of_text) {
  const std::size_t most = nr_lines_ + bytes_of_text / leaf_scanner::shortest_line;
  if (lines_.size() < most) {
    lines_.resize(most);
  }
  return std::span(lines_).subspan(nr_lines_);
}

void xml_events::add_lines(bool of_bits, std::size_t count, std::uint64_t first_line) {
  event& added = events_.emplace_back(event{kind::lines});
  added.of_bits = of_bits;
  added.at.line = first_line;
  added.first = nr_lines_;
  nr_lines_ += count;
  added.end = nr_lines_;
}

void xml_events::replay(contents_sink& sink,
                        const std::function<void(const std::string&)>& remark) const {
  joiner runs(sink);
  for (const event& one : events_) {
    if (one.what == kind::runs) {
      runs.begin(one.of_bits);
      for (std::size_t i = one.first; i < one.end; ++i) {
        runs.add(runs_[i]);
      }
      continue;
    }
    if (one.what == kind::lines) {
      runs.begin(one.of_bits);
      runs.add_lines(std::span(lines_).subspan(one.first, one.end - one.first), one.at.line);
      continue;
    }
    runs.flush();
    switch (one.what) {
      case kind::begin:
        sink.begin({one.numbers[0], one.numbers[1], one.numbers[2]});
        break;
      case kind::begin_writeset:
        sink.begin_writeset(one.numbers[0], one.numbers[1], one.at);
        break;
      case kind::end_writeset:
        sink.end_writeset();
        break;
      case kind::remark:
        remark(one.text);
        break;
      case kind::runs:
      case kind::lines:
        break;
    }
  }
  runs.flush();
  if (failure_) {
    std::rethrow_exception(failure_);
  }
}

}  // namespace era
