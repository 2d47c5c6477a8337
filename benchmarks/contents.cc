#include "benchmarks/contents.h"

#include <algorithm>
#include <memory>

namespace bench {
namespace {

constexpr std::uint64_t bits_per_word = 64;
constexpr std::uint32_t mean_run = 64;       // blocks
constexpr std::uint32_t region_words = 64;   // of pattern::hot: a region is hot or cold as a whole
constexpr std::uint32_t hot_of_100 = 10;     // regions
constexpr std::uint32_t writes_to_hot = 90;  // percent

// Streams of a seed.
constexpr std::uint64_t era_array_stream = 0;
constexpr std::uint64_t first_writeset_stream = 1;
constexpr std::uint64_t first_region_stream = std::uint64_t{1} << 32;

std::uint32_t of_65536(std::uint32_t part, std::uint32_t whole) {
  return static_cast<std::uint32_t>(std::min<std::uint64_t>(65536, 65536ULL * part / whole));
}

bool is_hot(const contents& of, std::uint64_t region) {
  // A stream for each region: bitsets and era array agree without remembering.
  return random_stream(of.seed, first_region_stream + region).below(100) < hot_of_100;
}

// What hot regions cannot take, because they are full, goes to the others.
std::uint32_t hot_density(const contents& of, bool hot) {
  const std::uint32_t in_hot = std::min(100 * hot_of_100, of.density * writes_to_hot);
  return hot ? of_65536(in_hot, 100 * hot_of_100)
             : of_65536(100 * of.density - in_hot, 100 * (100 - hot_of_100));
}

std::uint64_t low_bits(std::uint64_t n) {
  return n >= bits_per_word ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}

}  // namespace

std::uint64_t random_stream::sparse_word(std::uint32_t of_65536) {
  if (of_65536 >= 65536) {
    return ~std::uint64_t{0};
  }
  // Digit by digit, the lowest first: "or" adds a half to the probability, "and" halves it.
  std::uint64_t word = 0;
  for (std::uint32_t digit = of_65536 & (~of_65536 + 1); digit != 0 && digit < 65536; digit <<= 1) {
    const std::uint64_t coin = next();
    word = (of_65536 & digit) != 0 ? word | coin : word & coin;
  }
  return word;
}

bit_stream::bit_stream(const contents& of, std::uint32_t writeset)
    : of_(of),
      random_(of.seed, first_writeset_stream + writeset),
      density_(of_65536(of.density, 100)) {}

void bit_stream::next(std::span<std::uint64_t> words) {
  for (std::uint64_t& word : words) {
    const std::uint64_t first_bit =
        std::min<std::uint64_t>(of_.nr_blocks, bits_per_word * position_);
    word = next_word() & low_bits(of_.nr_blocks - first_bit);
    ++position_;
  }
}

std::uint64_t bit_stream::next_word() {
  if (of_.writes == pattern::runs) {
    return word_of_runs();
  }
  if (of_.writes == pattern::hot && position_ % region_words == 0) {
    density_ = hot_density(of_, is_hot(of_, position_ / region_words));
  }
  return random_.sparse_word(density_);
}

// Runs and the gaps between them are of any length up to twice their mean.
std::uint64_t bit_stream::word_of_runs() {
  if (of_.density == 0 || of_.density == 100) {
    return of_.density == 0 ? 0 : ~std::uint64_t{0};
  }
  const std::uint32_t mean_gap = std::max(1U, mean_run * (100 - of_.density) / of_.density);
  std::uint64_t word = 0;
  for (std::uint64_t bit = 0; bit < bits_per_word;) {
    if (left_ == 0) {
      in_run_ = !in_run_;
      left_ = 1 + random_.below(2 * (in_run_ ? mean_run : mean_gap) - 1);
    }
    const std::uint64_t count = std::min(left_, bits_per_word - bit);
    word |= in_run_ ? low_bits(count) << bit : 0;
    bit += count;
    left_ -= count;
  }
  return word;
}

era_stream::era_stream(const contents& of)
    : of_(of), random_(of.seed, era_array_stream), nr_eras_(of.digested() + 1) {}

void era_stream::next(std::span<std::uint32_t> eras) {
  for (std::uint32_t& era : eras) {
    if (left_ == 0) {
      begin_stretch();
    }
    --left_;
    ++position_;
    era = alike_ ? repeated_ : random_.below(nr_eras_);
  }
}

void era_stream::begin_stretch() {
  constexpr std::uint64_t region = region_words * bits_per_word;
  repeated_ = random_.below(nr_eras_);
  switch (of_.writes) {
    case pattern::random:
      left_ = of_.nr_blocks;
      break;
    case pattern::runs:
      left_ = 1 + random_.below(2 * mean_run - 1);
      alike_ = true;
      break;
    case pattern::hot:
      // Cold regions were written once, as a whole.
      left_ = region;
      alike_ = !is_hot(of_, position_ / region);
      break;
  }
}

namespace {

constexpr std::uint64_t words_in_a_window = 4096;

// A sink may keep windows, so each is new.
template <typename Fill>
void send_windows(std::uint64_t nr_values, Fill fill) {
  constexpr std::uint64_t most = words_in_a_window * bits_per_word;
  for (std::uint64_t first = 0; first < nr_values; first += most) {
    auto window = std::make_shared<era::contents_window>();
    window->first = first;
    window->count = std::min(most, nr_values - first);
    fill(window);
  }
}

}  // namespace

void send(const contents& what, era::contents_sink& into) {
  into.begin({what.block_size, what.nr_blocks, what.current_era});
  for (std::uint32_t i = 0; i < what.nr_writesets; ++i) {
    into.begin_writeset(what.era_of_writeset(i), what.nr_blocks, {});
    bit_stream bits(what, i);
    send_windows(what.nr_blocks, [&](const std::shared_ptr<era::contents_window>& window) {
      window->bits.resize((window->count + bits_per_word - 1) / bits_per_word);
      bits.next(window->bits);
      into.bits(window);
    });
    into.end_writeset();
  }
  era_stream eras(what);
  send_windows(what.nr_blocks, [&](const std::shared_ptr<era::contents_window>& window) {
    window->eras.resize(window->count);
    eras.next(window->eras);
    into.eras(window);
  });
  into.end();
}

}  // namespace bench
