#include "era/dump.h"

#include <algorithm>
#include <cstdio>

#include "base/output.h"
#include "base/progress.h"
#include "era/era_reader.h"
#include "era/xml_writer.h"

namespace era {
namespace {

// Tells once what is lost, and lets the dump go on.
class repair_sink final : public problem_sink {
 public:
  explicit repair_sink(std::string file) : file_(std::move(file)) {}

  void found(const problem& p) override {
    if (silent_ || row_of(p.code).how_bad != severity::error) {
      return;
    }
    const std::string assumed = p.loses() || p.at.in == structure::writeset_tree
                                    ? "; taken as written in the current era"
                                    : "";
    const std::string line = file_ + ": block " + std::to_string(p.block) + ", " + describe(p.at) +
                             ": " + p.what + "; " + consequence_of(p) + assumed + "\n";
    std::fputs(line.c_str(), stderr);
  }

  void be_silent() { silent_ = true; }

 private:
  std::string file_;
  bool silent_ = false;
};

class dumper {
 public:
  dumper(const metadata& read, era_reader& reader, bool logical, base::progress& progress)
      : metadata_(read), reader_(reader), logical_(logical), progress_(progress) {}

  // Reads everything once; from then on it is known what is lost.
  void verify() {
    null_sink nowhere;
    dump_to(nowhere);
    lost_ = reader_.lost_in_writesets();
  }

  void dump_to(metadata_sink& to) {
    done_ = 0;
    to.begin_superblock(metadata_.state.data_block_size, metadata_.state.nr_blocks,
                        metadata_.state.current_era);
    if (!logical_) {
      writesets(to);
    }
    to.begin_era_array();
    era_array(to);
    to.end_era_array();
    to.end_superblock();
  }

 private:
  static constexpr std::uint64_t window = era_reader::window;

  void writesets(metadata_sink& to) {
    const std::uint32_t current_era = metadata_.state.current_era;
    constexpr std::size_t none = SIZE_MAX;
    const std::size_t twin =
        metadata_.has_current ? metadata_.find_archived(current_era).value_or(none) : none;
    bool lost_are_told = lost_.empty();
    for (std::size_t i = 0; i < metadata_.writesets.size(); ++i) {
      const std::uint32_t era = metadata_.writesets[i].era;
      if (twin == i) {
        continue;  // one with the open writeset of the same era, which comes last
      }
      if (!lost_are_told && era > current_era) {
        one_writeset(to, current_era, {}, true);
        lost_are_told = true;
      }
      const bool takes_lost = !lost_are_told && era == current_era;
      lost_are_told = lost_are_told || takes_lost;
      if (twin != none && era == current_era) {
        one_writeset(to, era, {twin, i}, takes_lost);
      } else {
        one_writeset(to, era, {i}, takes_lost);
      }
    }
    if (!lost_are_told) {
      one_writeset(to, current_era, {}, true);
    }
  }

  // The union of these writesets of the metadata, and of what was lost if that is to go in here.
  void one_writeset(metadata_sink& to, std::uint32_t era,
                    std::initializer_list<std::size_t> sources, bool with_lost) {
    std::uint32_t nr_bits = with_lost ? metadata_.state.nr_blocks : 0;
    for (const std::size_t i : sources) {
      nr_bits = std::max(nr_bits, metadata_.writesets[i].nr_bits);
    }
    to.begin_writeset(era, nr_bits);
    for (std::uint64_t first = 0; first < nr_bits; first += window) {
      const std::uint64_t count = std::min<std::uint64_t>(window, nr_bits - first);
      words_.assign(base::ceil_div(count, 64), 0);
      for (const std::size_t i : sources) {
        add_bits(i, first, count);
      }
      if (with_lost) {
        add_lost(first, count);
      }
      to.bits(first, count, words_);
      tell_progress(count);
    }
    to.end_writeset();
  }

  void add_bits(std::size_t i, std::uint64_t first, std::uint64_t count) {
    const std::uint64_t nr_bits = metadata_.writesets[i].nr_bits;
    if (first >= nr_bits) {
      return;
    }
    count = std::min(count, nr_bits - first);
    own_words_.resize(base::ceil_div(count, 64));
    reader_.writeset_bits(i, first, count, own_words_);
    for (std::size_t word = 0; word < own_words_.size(); ++word) {
      words_[word] |= own_words_[word];
    }
  }

  void add_lost(std::uint64_t first, std::uint64_t count) {
    const std::uint64_t nr_blocks = metadata_.state.nr_blocks;
    for (const block_range& range : lost_) {
      const std::uint64_t end = std::min({range.end, first + count, nr_blocks});
      for (std::uint64_t bit = std::max(range.first, first); bit < end; ++bit) {
        words_[(bit - first) / 64] |= std::uint64_t{1} << (bit - first) % 64;
      }
    }
  }

  void era_array(metadata_sink& to) {
    const std::uint64_t nr_blocks = metadata_.state.nr_blocks;
    for (std::uint64_t first = 0; first < nr_blocks; first += window) {
      eras_.resize(std::min(window, nr_blocks - first));
      if (logical_) {
        reader_.last_written(first, eras_);
      } else {
        reader_.array_values(first, eras_);
      }
      to.eras(first, eras_);
      tell_progress(eras_.size());
    }
  }

  void tell_progress(std::uint64_t blocks) {
    done_ += blocks;
    const std::uint64_t parts = logical_ ? 1 : 1 + metadata_.writesets.size();
    progress_.at(done_, parts * metadata_.state.nr_blocks);
  }

  const metadata& metadata_;
  era_reader& reader_;
  bool logical_;
  base::progress& progress_;
  std::uint64_t done_ = 0;
  std::vector<block_range> lost_;
  std::vector<std::uint64_t> words_;      // of the window that goes out
  std::vector<std::uint64_t> own_words_;  // of one writeset in it
  std::vector<std::uint32_t> eras_;
};

}  // namespace

void dump(const metadata_source& source, const dump_options& options) {
  pd::file_device device = open_metadata(source);
  base::output out(options.output, source.path);
  pd::block_reader reader(device);
  pd::walk_context context(reader);

  strict_sink strict(source.path);
  repair_sink tolerant(source.path);
  problem_sink& sink = options.repair ? static_cast<problem_sink&>(tolerant) : strict;

  const metadata read = load_metadata(context, source, sink);
  era_reader eras(context, read, sink);
  base::progress progress("dumping", true);
  dumper all(read, eras, options.logical, progress);
  all.verify();
  tolerant.be_silent();
  check_snapshot_still_held(reader, read);

  xml_writer xml(out, options.compact);
  all.dump_to(xml);
  check_snapshot_still_held(reader, read);
  out.commit();
}

}  // namespace era
