#include "era/xml/xml_writer.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "era/xml/xml_formatter.h"

namespace era {
namespace {

constexpr std::uint64_t values_in_a_piece = 16384;
constexpr std::uint64_t values_in_a_window = 16 * values_in_a_piece;
constexpr std::uint64_t bits_per_word = 64;
static_assert(values_in_a_piece % bits_per_word == 0);

}  // namespace

void xml_writer::begin(const superblock_facts& facts) {
  facts_ = facts;
  printer_.put([facts](base::text& text) { xml_formatter(text, false).begin_superblock(facts); });
}

void xml_writer::begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position) {
  if (inside_ != element::superblock) {
    throw std::logic_error("a writeset after the eras, or inside another one");
  }
  inside_ = element::writeset;
  nr_values_ = nr_bits;
  next_ = 0;
  printer_.put([era, nr_bits](base::text& text) {
    xml_formatter(text, false).begin_writeset(era, nr_bits);
  });
}

void xml_writer::end_writeset() {
  fill_up_to(nr_values_);
  send_pending();
  inside_ = element::superblock;
  printer_.put([](base::text& text) { xml_formatter(text, false).end_writeset(); });
}

void xml_writer::begin_era_array() {
  if (inside_ == element::superblock) {
    inside_ = element::era_array;
    nr_values_ = facts_.nr_blocks;
    next_ = 0;
    printer_.put([](base::text& text) { xml_formatter(text, false).begin_era_array(); });
  }
}

void xml_writer::eras(std::span<const contents_run> runs) {
  begin_era_array();
  add_runs(runs);
}

void xml_writer::eras(window_ptr window) {
  begin_era_array();
  add_window(window);
}

void xml_writer::end() {
  begin_era_array();
  fill_up_to(nr_values_);
  send_pending();
  printer_.put([](base::text& text) {
    xml_formatter xml(text, false);
    xml.end_era_array();
    xml.end_superblock();
  });
  printer_.finish();
}

void xml_writer::add_window(const window_ptr& window) {
  if (window->first != next_) {
    throw std::logic_error("a window that does not follow the one before it");
  }
  next_ += window->count;
  print(window);
}

void xml_writer::add_runs(std::span<const contents_run> runs) {
  for (const contents_run& run : runs) {
    if (run.first < next_) {
      throw std::logic_error("runs that do not ascend");
    }
    fill_up_to(run.first);
    fill(std::uint64_t{run.first} + run.count, run.value);
  }
}

// With what is not said of them: unset bits, eras of 0.
void xml_writer::fill_up_to(std::uint64_t end) {
  // Windows say everything; only runs leave gaps.
  if (next_ < end) {
    fill(end, 0);
  }
}

void xml_writer::fill(std::uint64_t end, std::uint32_t value) {
  while (next_ < end) {
    if (!pending_) {
      pending_ = std::make_shared<contents_window>();
      pending_->first = next_;
    }
    contents_window& into = *pending_;
    const std::uint64_t count = std::min(end - next_, values_in_a_window - into.count);
    if (inside_ == element::writeset) {
      into.bits.resize((into.count + count + bits_per_word - 1) / bits_per_word);
      for (std::uint64_t i = into.count; value != 0 && i < into.count + count; ++i) {
        into.bits[i / bits_per_word] |= std::uint64_t{1} << i % bits_per_word;
      }
    } else {
      into.eras.insert(into.eras.end(), count, value);
    }
    into.count += count;
    next_ += count;
    if (into.count == values_in_a_window) {
      send_pending();
    }
  }
}

void xml_writer::send_pending() {
  if (pending_) {
    print(std::exchange(pending_, nullptr));
  }
}

// Cuts a window into pieces that several threads can format.
void xml_writer::print(const window_ptr& window) {
  const bool is_bits = inside_ == element::writeset;
  for (std::uint64_t at = 0; at < window->count; at += values_in_a_piece) {
    const std::uint64_t count = std::min(values_in_a_piece, window->count - at);
    printer_.put([window, is_bits, at, count, compact = compact_](base::text& text) {
      xml_formatter xml(text, compact);
      const auto first = static_cast<std::uint32_t>(window->first + at);
      if (is_bits) {
        xml.bits(first, static_cast<std::uint32_t>(count),
                 std::span(window->bits).subspan(at / bits_per_word));
      } else {
        xml.eras(first, std::span(window->eras).subspan(at, count));
      }
    });
  }
}

}  // namespace era
