#include "era/read/era_reader.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "era/read/plausibility.h"

namespace era {
namespace {

using pd::bits_per_word;

// Writesets whose indexes are read together.
constexpr std::size_t index_batch = 1024;

std::uint64_t low_bits(std::uint64_t n) {
  return n >= bits_per_word ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}

// Bit i: value i is `since` or more. Of 64 values, by steps that compilers turn into vector code: a
// byte of 0 or 1 for each value, and then eight bytes at a time to eight bits by a product in which
// none of them meet.
std::uint64_t bits_of_64_since(const std::byte* values, std::uint32_t since) {
  std::array<std::uint8_t, bits_per_word> flags;
  for (std::size_t i = 0; i < flags.size(); ++i) {
    flags[i] = base::get_le32(values + era_size * i) >= since ? 1 : 0;
  }
  std::uint64_t bits = 0;
  for (std::size_t i = 0; i < flags.size(); i += 8) {
    std::uint64_t eight = 0;
    std::memcpy(&eight, flags.data() + i, sizeof eight);
    bits |= eight * 0x0102040810204080 >> 56 << i;
  }
  return bits;
}

// The same of `count` values, at most 64.
std::uint64_t bits_since(const std::byte* values, std::uint64_t count, std::uint32_t since) {
  if (count == bits_per_word && std::endian::native == std::endian::little) {
    return bits_of_64_since(values, since);
  }
  std::uint64_t bits = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    bits |= std::uint64_t{base::get_le32(values + era_size * i) >= since} << i;
  }
  return bits;
}

// Adds a range to some that are kept sorted and merged, so that they stay few however much is lost.
void add_range(std::vector<block_range>& ranges, block_range added) {
  if (added.first >= added.end) {
    return;
  }
  auto at = std::lower_bound(
      ranges.begin(), ranges.end(), added.first,
      [](const block_range& range, std::uint64_t first) { return range.end < first; });
  while (at != ranges.end() && at->first <= added.end) {
    added.first = std::min(added.first, at->first);
    added.end = std::max(added.end, at->end);
    at = ranges.erase(at);
  }
  ranges.insert(at, added);
}

}  // namespace

// Takes the indexes of consecutive arrays.
class era_reader::index_collector final : public pd::index_visitor {
 public:
  index_collector(era_reader& owner, std::size_t first_array)
      : owner_(owner), first_array_(first_array) {}

  void begin_array(std::size_t i) override {
    array_ = first_array_ + i;
    owner_.indexes_[array_].first_ref = static_cast<std::uint32_t>(owner_.refs_.size());
  }

  void array_block_at(pd::array_block_ref ref) override {
    owner_.refs_.push_back(ref);
    ++owner_.indexes_[array_].nr_refs;
  }

  void damaged(const pd::damage& found) override {
    owner_.metadata_.report(array_, found, owner_.sink_);
    if (found.first_lost < found.end_lost) {
      const std::uint64_t unit = owner_.blocks_of_element(array_);
      lose({found.first_lost * unit, found.end_lost * unit});
    }
  }

 private:
  // Neighbours are one loss.
  void lose(block_range range) {
    std::vector<loss>& losses = owner_.losses_;
    if (!losses.empty() && losses.back().array == array_ &&
        losses.back().range.end == range.first) {
      losses.back().range.end = range.end;
    } else {
      losses.push_back({static_cast<std::uint32_t>(array_), range});
    }
  }

  era_reader& owner_;
  std::size_t first_array_;
  std::size_t array_ = 0;
};

// Takes array blocks as they are read, cut to the blocks [first, end) that are asked for.
class era_reader::window_filler : public pd::array_block_visitor {
 public:
  window_filler(era_reader& owner, std::uint64_t first, std::uint64_t end)
      : owner_(owner), first_(first), end_(end) {}

  // Each block that comes is one of so many.
  void report_to(base::progress& progress, std::uint64_t nr_blocks) {
    progress_ = &progress;
    nr_blocks_ = nr_blocks;
  }

  void values(const pd::array_block_request& request, const std::byte* data) final {
    count_block();
    const std::uint64_t unit = owner_.blocks_of_element(request.tag);
    const std::uint64_t at = request.ref.key * unit * pd::array_capacity(request.value_size);
    if (owner_.metadata_.is_era_array(request.tag)) {
      owner_.note_eras(request, data);
      take_eras(at - first_, data, std::min<std::uint64_t>(request.entries, end_ - at));
      return;
    }
    const writeset& set = owner_.metadata_.writesets[request.tag];
    const std::uint64_t stop =
        std::min({at + request.entries * unit, std::uint64_t{set.nr_bits}, end_});
    if (at < stop) {
      take_bits(owner_.metadata_.era_of(request.tag), at - first_, data, stop - at);
    }
  }

  void damaged(const pd::array_block_request& request, const pd::damage& found) final {
    count_block();
    owner_.metadata_.report(request.tag, found, owner_.sink_);
    const std::uint64_t unit = owner_.blocks_of_element(request.tag);
    lose(request.tag, {found.first_lost * unit, found.end_lost * unit});
  }

  // Nothing is known of these blocks in one of the arrays.
  void lose(std::size_t array, block_range range) {
    if (!owner_.metadata_.is_era_array(array)) {
      range.end = std::min<std::uint64_t>(range.end, owner_.metadata_.writesets[array].nr_bits);
    }
    owner_.note_lost(array, range);
    range.first = std::max(range.first, first_);
    range.end = std::min(range.end, end_);
    if (range.first < range.end) {
      take_lost(range.first - first_, range.end - first_);
    }
  }

  void lose_all() { take_lost(0, end_ - first_); }

 private:
  // Positions are relative to the first block asked for.
  virtual void take_eras(std::uint64_t at, const std::byte* values, std::uint64_t count) = 0;
  virtual void take_bits(std::uint32_t era, std::uint64_t at, const std::byte* words,
                         std::uint64_t count) = 0;
  virtual void take_lost(std::uint64_t at, std::uint64_t end) = 0;

  void count_block() {
    if (progress_ != nullptr) {
      progress_->at(++done_, nr_blocks_);
    }
  }

  era_reader& owner_;
  std::uint64_t first_;
  std::uint64_t end_;
  base::progress* progress_ = nullptr;
  std::uint64_t nr_blocks_ = 0;
  std::uint64_t done_ = 0;
};

class era_reader::era_filler final : public window_filler {
 public:
  era_filler(era_reader& owner, std::uint64_t first, std::span<std::uint32_t> eras)
      : window_filler(owner, first, first + eras.size()),
        eras_(eras),
        era_of_lost_(owner.metadata_.superblock.current_era),
        distrusted_(owner.distrusted_) {}

 private:
  void take_eras(std::uint64_t at, const std::byte* values, std::uint64_t count) override {
    std::memcpy(eras_.data() + at, values, era_size * count);
    if (distrusted_) {
      for (std::uint32_t& era : eras_.subspan(at, count)) {
        era = trusted(era);
      }
    }
  }

  void take_bits(std::uint32_t era, std::uint64_t at, const std::byte* words,
                 std::uint64_t count) override {
    for (std::uint64_t bit = 0; bit < count; bit += bits_per_word) {
      std::uint64_t word = base::get_le64(words + bit / 8) & low_bits(count - bit);
      for (; word != 0; word &= word - 1) {
        std::uint32_t& known = eras_[at + bit + static_cast<unsigned>(std::countr_zero(word))];
        known = std::max(known, trusted(era));
      }
    }
  }

  std::uint32_t trusted(std::uint32_t era) const {
    return distrusted_ && era <= *distrusted_ ? era_of_lost_ : era;
  }

  void take_lost(std::uint64_t at, std::uint64_t end) override {
    for (std::uint64_t i = at; i < end; ++i) {
      eras_[i] = std::max(eras_[i], era_of_lost_);
    }
  }

  std::span<std::uint32_t> eras_;
  std::uint32_t era_of_lost_;
  std::optional<std::uint32_t> distrusted_;
};

class era_reader::bit_filler final : public window_filler {
 public:
  // `since` is for values of the era array.
  bit_filler(era_reader& owner, std::uint64_t first, std::uint64_t count,
             std::span<std::uint64_t> words, std::uint32_t since)
      : window_filler(owner, first, first + count), words_(words), since_(since) {}

 private:
  void take_eras(std::uint64_t at, const std::byte* values, std::uint64_t count) override {
    if (since_ > 0 && !base::any_le32_above(values, count, since_ - 1)) {
      return;
    }
    for (std::uint64_t i = 0; i < count; i += bits_per_word) {
      add(at + i, bits_since(values + era_size * i,
                             std::min<std::uint64_t>(bits_per_word, count - i), since_));
    }
  }

  // Up to 64 bits from bit `at` on.
  void add(std::uint64_t at, std::uint64_t bits) {
    const std::uint64_t shift = at % bits_per_word;
    words_[at / bits_per_word] |= bits << shift;
    if (shift != 0 && bits >> (bits_per_word - shift) != 0) {
      words_[at / bits_per_word + 1] |= bits >> (bits_per_word - shift);
    }
  }

  void take_bits(std::uint32_t, std::uint64_t at, const std::byte* words,
                 std::uint64_t count) override {
    for (std::uint64_t bit = 0; bit < count; bit += bits_per_word) {
      words_[(at + bit) / bits_per_word] |= base::get_le64(words + bit / 8) & low_bits(count - bit);
    }
  }

  void take_lost(std::uint64_t at, std::uint64_t end) override {
    for (std::uint64_t i = at; i < end; ++i) {
      words_[i / bits_per_word] |= std::uint64_t{1} << i % bits_per_word;
    }
  }

  std::span<std::uint64_t> words_;
  std::uint32_t since_;
};

// Only finds out what is lost.
class era_reader::loss_finder final : public window_filler {
 public:
  explicit loss_finder(era_reader& owner) : window_filler(owner, 0, UINT64_MAX) {}

 private:
  void take_eras(std::uint64_t, const std::byte*, std::uint64_t) override {}
  void take_bits(std::uint32_t, std::uint64_t, const std::byte*, std::uint64_t) override {}
  void take_lost(std::uint64_t, std::uint64_t) override {}
};

era_reader::era_reader(metadata& of, problem_sink& sink)
    : metadata_(of),
      sink_(sink),
      indexes_(of.nr_arrays()),
      first_writeset_(of.writesets.size()),
      damaged_(of.nr_arrays()),
      usual_in_era_array_(of.nr_archived() > 0
                              ? std::min(of.writesets.front().era, of.superblock.current_era)
                              : of.superblock.current_era),
      reader_(of.walk.reader) {
  if (of.lost_writesets) {
    add_range(lost_in_writesets_, {0, of.superblock.nr_blocks});
  }
}

void era_reader::need_era_array() {
  if (!std::exchange(has_era_array_, true)) {
    const pd::array_root root = metadata_.root_of(metadata_.era_array());
    index_collector into(*this, metadata_.era_array());
    pd::read_indexes(metadata_.walk, {&root, 1}, into);
  }
}

void era_reader::need_writesets(std::size_t from) {
  const std::size_t end = std::exchange(first_writeset_, std::min(from, first_writeset_));
  while (from < end) {
    std::vector<pd::array_root> roots;
    index_collector into(*this, from);
    for (; from < end && roots.size() < index_batch; ++from) {
      roots.push_back(metadata_.root_of(from));
    }
    pd::read_indexes(metadata_.walk, roots, into);
  }
}

// Writesets ascend by era, the open one last.
std::size_t era_reader::first_writeset_since(std::uint32_t since) const {
  std::size_t i = 0;
  while (i < metadata_.writesets.size() && metadata_.writesets[i].era < since) {
    ++i;
  }
  return i;
}

void era_reader::last_written(std::uint64_t first, std::span<std::uint32_t> eras) {
  std::fill(eras.begin(), eras.end(), 0);
  need_era_array();
  need_writesets(0);
  request(metadata_.era_array(), first, first + eras.size());
  for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
    request(i, first, first + eras.size());
  }
  era_filler into(*this, first, eras);
  fill(into, 0, metadata_.nr_arrays());
  if (metadata_.lost_writesets) {
    into.lose_all();
  }
}

void era_reader::verify(extent of_writesets, base::progress& progress) {
  need_era_array();
  need_writesets(0);
  loss_finder into(*this);
  fill_in_disk_order(into, 0, of_writesets, progress);
}

void era_reader::written_since(std::uint32_t since, std::span<std::uint64_t> words,
                               base::progress& progress) {
  std::fill(words.begin(), words.end(), 0);
  const std::size_t first_writeset = first_writeset_since(since);
  need_era_array();
  need_writesets(first_writeset);
  bit_filler into(*this, 0, metadata_.superblock.nr_blocks, words, since);
  fill_in_disk_order(into, first_writeset, extent::device, progress);
  if (metadata_.lost_writesets) {
    into.lose_all();
  }
}

void era_reader::array_values(std::uint64_t first, std::span<std::uint32_t> eras) {
  std::fill(eras.begin(), eras.end(), 0);
  need_era_array();
  request(metadata_.era_array(), first, first + eras.size());
  era_filler into(*this, first, eras);
  fill(into, metadata_.era_array(), metadata_.nr_arrays());
}

void era_reader::writeset_bits(std::size_t i, std::uint64_t first, std::uint64_t count,
                               std::span<std::uint64_t> words) {
  std::fill(words.begin(), words.end(), 0);
  need_writesets(i);
  request(i, first, first + count);
  bit_filler into(*this, first, count, words, 0);
  fill(into, i, i + 1);
}

// The blocks of an array that hold something of the data blocks from `first` up to `end`.
void era_reader::request(std::size_t array, std::uint64_t first, std::uint64_t end) {
  const pd::array_root root = metadata_.root_of(array);
  const std::uint64_t in_an_array_block =
      blocks_of_element(array) * pd::array_capacity(root.value_size);
  const std::uint64_t first_key = first / in_an_array_block;
  const std::uint64_t end_key = base::ceil_div(end, in_an_array_block);
  const auto refs = std::span(refs_).subspan(indexes_[array].first_ref, indexes_[array].nr_refs);
  auto ref =
      std::lower_bound(refs.begin(), refs.end(), first_key,
                       [](const pd::array_block_ref& r, std::uint64_t key) { return r.key < key; });
  for (; ref != refs.end() && ref->key < end_key; ++ref) {
    requests_.push_back(
        {*ref, root.entries(ref->key), root.value_size, static_cast<std::uint32_t>(array)});
  }
}

void era_reader::fill(window_filler& into, std::size_t first_array, std::size_t end_array) {
  // Where reading throws, none of them is left for the next window.
  std::vector<pd::array_block_request> wanted;
  wanted.swap(requests_);
  reader_.read(wanted, into);
  wanted.clear();
  wanted.swap(requests_);
  fill_losses(into, first_array, end_array);
}

void era_reader::fill_in_disk_order(window_filler& into, std::size_t first_writeset,
                                    extent of_writesets, base::progress& progress) {
  const std::uint64_t nr_blocks = metadata_.superblock.nr_blocks;
  requests_.reserve(refs_.size());
  request(metadata_.era_array(), 0, nr_blocks);
  for (std::size_t i = first_writeset; i < metadata_.writesets.size(); ++i) {
    request(i, 0, of_writesets == extent::device ? nr_blocks : UINT32_MAX);
  }
  into.report_to(progress, requests_.size());
  pd::read_in_disk_order(metadata_.walk.reader, std::exchange(requests_, {}), into);
  fill_losses(into, first_writeset, metadata_.nr_arrays());
}

void era_reader::fill_losses(window_filler& into, std::size_t first_array, std::size_t end_array) {
  for (const loss& lost : losses_) {
    if (first_array <= lost.array && lost.array < end_array) {
      into.lose(lost.array, lost.range);
    }
  }
}

void era_reader::note_lost(std::size_t array, block_range lost) {
  damaged_[array] = damaged_[array] || lost.first < lost.end;
  add_range(metadata_.is_era_array(array) ? lost_in_era_array_ : lost_in_writesets_, lost);
}

std::uint64_t era_reader::nr_lost() const {
  std::vector<block_range> all = lost_in_writesets_;
  for (const block_range& lost : lost_in_era_array_) {
    add_range(all, lost);
  }
  const std::uint64_t nr_blocks = metadata_.superblock.nr_blocks;
  std::uint64_t count = 0;
  for (const block_range& lost : all) {
    count += std::min(lost.end, nr_blocks) - std::min(lost.first, nr_blocks);
  }
  return count;
}

void era_reader::note_eras(const pd::array_block_request& request, const std::byte* values) {
  if (!base::any_le32_above(values, request.entries, usual_in_era_array_)) {
    return;
  }
  check_array_eras(metadata_, request, values, sink_);
  for (std::uint32_t i = 0; i < request.entries; ++i) {
    latest_in_era_array_ = std::max(latest_in_era_array_, base::get_le32(values + era_size * i));
  }
}

}  // namespace era
