#include "era/read/era_reader.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

namespace era {
namespace {

using pd::bits_per_word;

// Requests carry which array they are of: 0 for the era array, i + 1 for writeset i.
constexpr std::uint32_t array_tag = 0;
constexpr std::uint32_t tag_of_writeset(std::size_t i) {
  return static_cast<std::uint32_t>(i + 1);
}

// Writesets whose indexes are read together.
constexpr std::size_t index_batch = 1024;

std::uint64_t low_bits(std::uint64_t n) {
  return n >= bits_per_word ? ~std::uint64_t{0} : (std::uint64_t{1} << n) - 1;
}

// Bit i: value i is `since` or more. Of `count` values, at most 64.
std::uint64_t bits_since(const std::byte* values, std::uint64_t count, std::uint32_t since) {
  std::uint64_t bits = 0;
  for (std::uint64_t i = 0; i < count; ++i) {
    bits |= std::uint64_t{base::get_le32(values + 4 * i) >= since} << i;
  }
  return bits;
}

}  // namespace

// Takes the indexes of consecutive arrays.
class era_reader::indexer final : public pd::index_visitor {
 public:
  indexer(era_reader& owner, std::uint32_t first_tag) : owner_(owner), first_tag_(first_tag) {}

  void begin_array(std::size_t i) override {
    tag_ = first_tag_ + static_cast<std::uint32_t>(i);
    present().first_ref = static_cast<std::uint32_t>(owner_.refs_.size());
  }

  void array_block_at(pd::array_block_ref ref) override {
    owner_.refs_.push_back(ref);
    ++present().nr_refs;
  }

  void damaged(const pd::damage& found) override {
    const bool in_array = tag_ == array_tag;
    owner_.report(tag_, found);
    if (found.first_lost < found.end_lost) {
      const std::uint64_t unit = in_array ? 1 : bits_per_word;
      owner_.losses_.push_back({tag_, {found.first_lost * unit, found.end_lost * unit}});
    }
  }

 private:
  index& present() {
    return tag_ == array_tag ? owner_.array_index_ : owner_.writeset_indexes_[tag_ - 1];
  }

  era_reader& owner_;
  std::uint32_t first_tag_;
  std::uint32_t tag_ = 0;
};

// Takes array blocks as they are read, cut to the blocks [first, end) that are asked for.
class era_reader::folder : public pd::array_block_visitor {
 public:
  folder(era_reader& owner, std::uint64_t first, std::uint64_t end)
      : owner_(owner), first_(first), end_(end) {}

  void values(const pd::array_block_request& request, const std::byte* data) final {
    if (request.tag == array_tag) {
      const std::uint64_t at = std::uint64_t{request.ref.key} * pd::array_capacity(4);
      take_eras(at - first_, data, std::min<std::uint64_t>(request.entries, end_ - at));
      return;
    }
    const writeset& set = owner_.metadata_.writesets[request.tag - 1];
    const std::uint64_t at = std::uint64_t{request.ref.key} * pd::array_capacity(8) * bits_per_word;
    const std::uint64_t stop = std::min(
        {at + std::uint64_t{request.entries} * bits_per_word, std::uint64_t{set.nr_bits}, end_});
    if (at < stop) {
      take_bits(set.era, at - first_, data, stop - at);
    }
  }

  void damaged(const pd::array_block_request& request, const pd::damage& found) final {
    const bool in_array = request.tag == array_tag;
    owner_.report(request.tag, found);
    const std::uint64_t unit = in_array ? 1 : bits_per_word;
    lose(request.tag, {found.first_lost * unit, found.end_lost * unit});
  }

  // Nothing is known of these blocks in one of the structures.
  void lose(std::uint32_t tag, block_range range) {
    if (tag != array_tag) {
      range.end = std::min<std::uint64_t>(range.end, owner_.metadata_.writesets[tag - 1].nr_bits);
      owner_.note_lost(range);
    }
    range.first = std::max(range.first, first_);
    range.end = std::min(range.end, end_);
    if (range.first < range.end) {
      take_lost(range.first - first_, range.end - first_);
    }
  }

  void lose_all() { take_lost(0, end_ - first_); }

 private:
  // Positions are relative to first().
  virtual void take_eras(std::uint64_t at, const std::byte* values, std::uint64_t count) = 0;
  virtual void take_bits(std::uint32_t era, std::uint64_t at, const std::byte* words,
                         std::uint64_t count) = 0;
  virtual void take_lost(std::uint64_t at, std::uint64_t end) = 0;

  era_reader& owner_;
  std::uint64_t first_;
  std::uint64_t end_;
};

class era_reader::era_folder final : public folder {
 public:
  era_folder(era_reader& owner, std::uint64_t first, std::span<std::uint32_t> eras)
      : folder(owner, first, first + eras.size()),
        eras_(eras),
        era_of_lost_(owner.metadata_.state.current_era) {}

 private:
  void take_eras(std::uint64_t at, const std::byte* values, std::uint64_t count) override {
    std::memcpy(eras_.data() + at, values, 4 * count);
  }

  void take_bits(std::uint32_t era, std::uint64_t at, const std::byte* words,
                 std::uint64_t count) override {
    for (std::uint64_t bit = 0; bit < count; bit += bits_per_word) {
      std::uint64_t word = base::get_le64(words + bit / 8) & low_bits(count - bit);
      for (; word != 0; word &= word - 1) {
        std::uint32_t& known = eras_[at + bit + static_cast<unsigned>(std::countr_zero(word))];
        known = std::max(known, era);
      }
    }
  }

  void take_lost(std::uint64_t at, std::uint64_t end) override {
    for (std::uint64_t i = at; i < end; ++i) {
      eras_[i] = std::max(eras_[i], era_of_lost_);
    }
  }

  std::span<std::uint32_t> eras_;
  std::uint32_t era_of_lost_;
};

class era_reader::bit_folder final : public folder {
 public:
  bit_folder(era_reader& owner, std::uint64_t first, std::uint64_t count,
             std::span<std::uint64_t> words)
      : folder(owner, first, first + count), words_(words), since_(owner.since_) {}

 private:
  void take_eras(std::uint64_t at, const std::byte* values, std::uint64_t count) override {
    if (since_ > 0 && !base::any_le32_above(values, count, since_ - 1)) {
      return;
    }
    for (std::uint64_t i = 0; i < count; i += bits_per_word) {
      add(at + i,
          bits_since(values + 4 * i, std::min<std::uint64_t>(bits_per_word, count - i), since_));
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
class era_reader::dropper final : public folder {
 public:
  dropper(era_reader& owner, base::progress& progress)
      : folder(owner, 0, UINT64_MAX), progress_(progress), nr_blocks_(owner.refs_.size()) {}

 private:
  void take_eras(std::uint64_t, const std::byte*, std::uint64_t) override { count_block(); }
  void take_bits(std::uint32_t, std::uint64_t, const std::byte*, std::uint64_t) override {
    count_block();
  }
  void take_lost(std::uint64_t, std::uint64_t) override { count_block(); }

  void count_block() { progress_.at(++done_, nr_blocks_); }

  base::progress& progress_;
  std::uint64_t nr_blocks_;
  std::uint64_t done_ = 0;
};

era_reader::era_reader(pd::walk_context& context, const metadata& read, problem_sink& sink,
                       std::uint32_t since)
    : metadata_(read),
      sink_(sink),
      since_(since),
      writeset_indexes_(read.writesets.size()),
      blocks_(context.reader),
      reader_(context.reader) {
  const pd::array_root array = read.era_array();
  indexer indexing(*this, array_tag);
  pd::read_indexes(context, {&array, 1}, indexing);
  read_writeset_indexes(context);
  if (read.lost_writesets) {
    note_lost({0, read.state.nr_blocks});
  }
}

void era_reader::read_writeset_indexes(pd::walk_context& context) {
  std::size_t next = 0;
  while (next < metadata_.writesets.size() && !since_covers(next)) {
    ++next;
  }
  while (next < metadata_.writesets.size()) {
    std::vector<pd::array_root> roots;
    indexer indexing(*this, tag_of_writeset(next));
    for (; next < metadata_.writesets.size() && roots.size() < index_batch; ++next) {
      roots.push_back(
          pd::bitset_root(metadata_.writesets[next].root, metadata_.writesets[next].nr_bits));
    }
    pd::read_indexes(context, roots, indexing);
  }
}

void era_reader::last_written(std::uint64_t first, std::span<std::uint32_t> eras) {
  std::fill(eras.begin(), eras.end(), 0);
  request_array(first, first + eras.size());
  for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
    request_writeset(i, first, first + eras.size());
  }
  era_folder into(*this, first, eras);
  fold_into(into);
  if (metadata_.lost_writesets) {
    into.lose_all();
  }
}

void era_reader::verify(extent of_writesets, base::progress& progress) {
  dropper into(*this, progress);
  fold_in_disk_order(into, of_writesets);
}

void era_reader::written_since(std::span<std::uint64_t> words) {
  std::fill(words.begin(), words.end(), 0);
  bit_folder into(*this, 0, metadata_.state.nr_blocks, words);
  fold_in_disk_order(into, extent::device);
  if (metadata_.lost_writesets) {
    into.lose_all();
  }
}

void era_reader::array_values(std::uint64_t first, std::span<std::uint32_t> eras) {
  std::fill(eras.begin(), eras.end(), 0);
  request_array(first, first + eras.size());
  era_folder into(*this, first, eras);
  fold_into(into, array_tag);
}

void era_reader::writeset_bits(std::size_t i, std::uint64_t first, std::uint64_t count,
                               std::span<std::uint64_t> words) {
  std::fill(words.begin(), words.end(), 0);
  request_writeset(i, first, first + count);
  bit_folder into(*this, first, count, words);
  fold_into(into, tag_of_writeset(i));
}

void era_reader::request_array(std::uint64_t first, std::uint64_t end) {
  request(array_index_, metadata_.era_array(), array_tag, first, end);
}

void era_reader::request_writeset(std::size_t i, std::uint64_t first, std::uint64_t end) {
  const writeset& set = metadata_.writesets[i];
  request(writeset_indexes_[i], pd::bitset_root(set.root, set.nr_bits), tag_of_writeset(i),
          first / bits_per_word, base::ceil_div(end, bits_per_word));
}

void era_reader::request(const index& from, const pd::array_root& array, std::uint32_t tag,
                         std::uint64_t first_element, std::uint64_t end_element) {
  const std::uint64_t capacity = pd::array_capacity(array.value_size);
  const std::uint64_t first_key = first_element / capacity;
  const std::uint64_t end_key = base::ceil_div(end_element, capacity);
  const auto refs = std::span(refs_).subspan(from.first_ref, from.nr_refs);
  auto ref =
      std::lower_bound(refs.begin(), refs.end(), first_key,
                       [](const pd::array_block_ref& r, std::uint64_t key) { return r.key < key; });
  for (; ref != refs.end() && ref->key < end_key; ++ref) {
    requests_.push_back({*ref, array.entries(ref->key), array.value_size, tag});
  }
}

void era_reader::fold_into(folder& into, std::optional<std::uint32_t> only_tag) {
  reader_.read(requests_, into);
  requests_.clear();
  fold_losses(into, only_tag);
}

void era_reader::fold_in_disk_order(folder& into, extent of_writesets) {
  const std::uint64_t nr_blocks = metadata_.state.nr_blocks;
  requests_.reserve(refs_.size());
  request_array(0, nr_blocks);
  for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
    if (since_covers(i)) {
      request_writeset(i, 0, of_writesets == extent::device ? nr_blocks : UINT32_MAX);
    }
  }
  pd::read_in_disk_order(blocks_, std::exchange(requests_, {}), into);
  fold_losses(into, std::nullopt);
}

void era_reader::fold_losses(folder& into, std::optional<std::uint32_t> only_tag) {
  for (const loss& lost : losses_) {
    if (!only_tag || *only_tag == lost.tag) {
      into.lose(lost.tag, lost.range);
    }
  }
}

void era_reader::report(std::uint32_t tag, const pd::damage& found) {
  if (tag == array_tag) {
    damage_in({structure::era_array, metadata_.snapshot, 0, false}, sink_).damaged(found);
  } else {
    damage_in(metadata_.place_of(tag - 1), sink_, metadata_.writesets[tag - 1].nr_bits)
        .damaged(found);
  }
}

void era_reader::note_lost(block_range lost) {
  if (lost.first >= lost.end) {
    return;
  }
  // Kept sorted and merged, so that it stays small however much is lost.
  auto at = std::lower_bound(
      lost_in_writesets_.begin(), lost_in_writesets_.end(), lost.first,
      [](const block_range& range, std::uint64_t first) { return range.end < first; });
  while (at != lost_in_writesets_.end() && at->first <= lost.end) {
    lost.first = std::min(lost.first, at->first);
    lost.end = std::max(lost.end, at->end);
    at = lost_in_writesets_.erase(at);
  }
  lost_in_writesets_.insert(at, lost);
}

}  // namespace era
