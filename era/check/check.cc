#include "era/check/check.h"

#include <algorithm>

#include "persistent-data/space_map_check.h"

namespace era {
namespace {

// Counts what passes through on its way to the user.
class counting_sink final : public problem_sink {
 public:
  counting_sink(check_summary& summary, problem_sink& next) : summary_(summary), next_(next) {}

  void found(const problem& p) override {
    switch (row_of(p.code).how_bad) {
      case severity::error:
        if (summary_.errors++ == 0) {
          summary_.first_error = p.what;
        }
        break;
      case severity::nonfatal:
        ++summary_.nonfatal;
        break;
      case severity::remark:
        ++summary_.remarks;
        break;
    }
    next_.found(p);
  }

 private:
  check_summary& summary_;
  problem_sink& next_;
};

// A device that was formatted and never resumed has wrong hints in its space map until the first
// commit (doc/format.md 2).
class space_map_sink final : public pd::damage_sink {
 public:
  space_map_sink(const superblock& live, problem_sink& sink)
      : never_resumed_(live.current_era == 0 && live.nr_blocks == 0), sink_(sink) {}

  void damaged(const pd::damage& found) override {
    const bool hint = found.kind == pd::damage_kind::map_nr_free ||
                      found.kind == pd::damage_kind::map_none_free_before;
    const problem_code code =
        hint && never_resumed_ ? problem_code::map_hints_never_resumed : code_of(found.kind);
    sink_.found({code, {structure::space_map, false, 0, false}, found.block, found.what});
  }

 private:
  bool never_resumed_;
  problem_sink& sink_;
};

// Reads the arrays of one state of the metadata, live or snapshot: first all their indexes, then
// their blocks as they lie on the disk.
class array_checker final : public pd::index_visitor, private pd::array_block_visitor {
 public:
  array_checker(metadata& of, problem_sink& sink, base::progress& progress,
                std::uint64_t blocks_in_use)
      : metadata_(of), sink_(sink), progress_(progress), blocks_in_use_(blocks_in_use) {}

  void check_writesets_and_era_array() {
    pd::block_reader& reader = metadata_.walk.reader;
    std::uint64_t blocks = 0;
    for (std::size_t array = 0; array < metadata_.nr_arrays(); ++array) {
      roots_.push_back(metadata_.root_of(array));
      blocks += roots_.back().nr_array_blocks();
    }
    requests_.reserve(std::min(blocks, reader.usable()));  // no block is met twice
    pd::read_indexes(metadata_.walk, roots_, *this);
    blocks_done_ = reader.blocks_read();
    pd::read_in_disk_order(reader, std::move(requests_), *this);
  }

  // Some index could not be read in full, so what it refers to is unknown.
  bool lost_nodes() const { return lost_nodes_; }

 private:
  void begin_array(std::size_t i) override { present_ = static_cast<std::uint32_t>(i); }

  void array_block_at(pd::array_block_ref ref) override {
    const pd::array_root& array = roots_[present_];
    requests_.push_back({ref, array.entries(ref.key), array.value_size, present_});
  }

  void damaged(const pd::damage& found) override {
    lost_nodes_ = lost_nodes_ || pd::hides_references(found.kind);
    metadata_.report(present_, found, sink_);
  }

  void damaged(const pd::array_block_request& request, const pd::damage& found) override {
    count_block();
    metadata_.report(request.tag, found, sink_);
  }

  void values(const pd::array_block_request& request, const std::byte* data) override {
    count_block();
    if (metadata_.is_era_array(request.tag)) {
      check_eras(request, data);
    } else {
      check_last_word(request, data);
    }
  }

  void count_block() { progress_.at(++blocks_done_, blocks_in_use_); }

  void check_eras(const pd::array_block_request& request, const std::byte* data) {
    const std::uint32_t current = metadata_.superblock.current_era;
    if (!base::any_le32_above(data, request.entries, std::min(current, newest_digested()))) {
      return;
    }
    if (base::any_le32_above(data, request.entries, current)) {
      report_era(request, data, problem_code::era_above_current, current,
                 "current era is " + std::to_string(current));
    } else {
      report_era(request, data, problem_code::era_above_archived, newest_digested(),
                 "oldest era not yet digested is " + std::to_string(oldest_undigested()));
    }
  }

  void report_era(const pd::array_block_request& request, const std::byte* data, problem_code code,
                  std::uint32_t limit, const std::string& against) {
    std::uint32_t i = 0;
    std::uint32_t above = 0;
    for (std::uint32_t j = request.entries; j-- > 0;) {
      if (base::get_le32(data + era_size * j) > limit) {
        i = j;
        ++above;
      }
    }
    const std::uint64_t block = std::uint64_t{request.ref.key} * eras_in_a_block + i;
    std::string what = "data block " + std::to_string(block) + " has era " +
                       std::to_string(base::get_le32(data + era_size * i)) + ", but the " + against;
    if (above > 1) {
      what += "; so have " + std::to_string(above - 1) + " more in this array block";
    }
    sink_.found({code, metadata_.place_of(request.tag), request.ref.block, what});
  }

  // The largest era that the array can hold in metadata that a kernel wrote (doc/format.md 5):
  // digestion of the lowest archived era may be under way.
  std::uint32_t newest_digested() const {
    const bool none_archived =
        metadata_.writesets.empty() || (metadata_.has_current && metadata_.writesets.size() == 1);
    if (!none_archived) {
      return metadata_.writesets.front().era;
    }
    const std::uint32_t current = metadata_.superblock.current_era;
    const bool open = metadata_.has_current || metadata_.is_snapshot();
    return open && current > 0 ? current - 1 : current;
  }

  std::uint32_t oldest_undigested() const {
    return metadata_.writesets.empty() ? metadata_.superblock.current_era
                                       : metadata_.writesets.front().era;
  }

  void check_last_word(const pd::array_block_request& request, const std::byte* data) {
    const writeset& set = metadata_.writesets[request.tag];
    const std::uint32_t used = set.nr_bits % pd::bits_per_word;
    const bool last = request.ref.key + 1 == roots_[request.tag].nr_array_blocks();
    if (!last || used == 0) {
      return;
    }
    if (base::get_le64(data + pd::word_size * std::size_t{request.entries - 1}) >> used != 0) {
      sink_.found({problem_code::writeset_bits_beyond, metadata_.place_of(request.tag),
                   request.ref.block,
                   "bits beyond the " + std::to_string(set.nr_bits) + " of the writeset are set"});
    }
  }

  metadata& metadata_;
  problem_sink& sink_;
  base::progress& progress_;
  std::uint64_t blocks_in_use_;
  std::vector<pd::array_root> roots_;  // of all arrays, by number
  std::vector<pd::array_block_request> requests_;
  std::uint32_t present_ = 0;
  std::uint64_t blocks_done_ = 0;
  bool lost_nodes_ = false;
};

class checker {
 public:
  checker(pd::block_device& device, problem_sink& sink, base::progress& progress)
      : file_(device),
        counts_(file_.blocks().usable()),
        sink_(summary_, sink),
        progress_(progress) {}

  check_summary run(const check_options& options) {
    progress_.begin("checking");
    const std::optional<superblock> live = file_.read_superblock(0, sink_);
    if (live) {
      summary_.superblock_usable = true;
      summary_.live = *live;
      if (!options.superblock_only) {
        check_all(*live);
      }
    }
    summary_.blocks_read = file_.blocks().blocks_read() + 1;
    return summary_;
  }

 private:
  void check_all(const superblock& live) {
    counts_.add(0);
    counts_.add(live.writeset_tree_root);
    counts_.add(live.era_array_root);
    if (live.current_open()) {
      counts_.add(live.current_root);
    }
    if (live.metadata_snap != pd::no_block && live.metadata_snap < file_.blocks().usable()) {
      counts_.add(live.metadata_snap);
    }
    metadata found = file_.read_state(live, metadata_state::live, sink_, &counts_);
    summary_.archived_writesets = found.nr_archived();
    check_state(found);
    if (live.metadata_snap != pd::no_block) {
      check_snapshot(live);
    }
    space_map_sink map_sink(live, sink_);
    pd::check_space_map(found.walk, live.space_map, !lost_references_, map_sink);
  }

  // The snapshot shares blocks with the live trees by right, so each state has its own set of
  // blocks that were met.
  void check_snapshot(const superblock& live) {
    const std::optional<superblock> copy = file_.read_superblock(live.metadata_snap, sink_);
    if (!copy) {
      lost_references_ = true;
      return;
    }
    summary_.snapshot_read = true;
    const auto report = [&](const std::string& what) {
      sink_.found({problem_code::snapshot_superblock,
                   {structure::superblock, true, 0, false},
                   live.metadata_snap,
                   what});
    };
    if (copy->data_block_size != live.data_block_size) {
      report("data block size is " + std::to_string(copy->data_block_size) + ", the live one " +
             std::to_string(live.data_block_size));
    }
    if (copy->current_era > live.current_era) {
      report("current era is " + std::to_string(copy->current_era) + ", the live one " +
             std::to_string(live.current_era));
    }
    counts_.add(copy->writeset_tree_root);
    counts_.add(copy->era_array_root);
    metadata found = file_.read_state(*copy, metadata_state::snapshot, sink_, &counts_);
    check_state(found);
  }

  void check_state(metadata& of) {
    check_eras_of_writesets(of);
    check_lengths_of_writesets(of);
    check_gaps(of);
    array_checker arrays(of, sink_, progress_, summary_.live.space_map.nr_allocated);
    arrays.check_writesets_and_era_array();
    lost_references_ = lost_references_ || of.lost_writesets || arrays.lost_nodes();
  }

  void report(const metadata& of, std::size_t i, problem_code code, const std::string& what) {
    sink_.found({code, of.place_of(i), of.writesets[i].root, what});
  }

  void check_eras_of_writesets(const metadata& of) {
    const std::uint32_t current = of.superblock.current_era;
    for (std::size_t i = 0; i < of.nr_archived(); ++i) {
      const writeset& set = of.writesets[i];
      if (set.era > current || (of.is_snapshot() && set.era == current)) {
        report(of, i, problem_code::writeset_era,
               "archived, though the current era is " + std::to_string(current));
      }
      if (of.has_current && set.root == of.superblock.current_root) {
        report(of, i, problem_code::current_writeset_archived,
               "its bitset is that of the current writeset");
      }
    }
  }

  void check_lengths_of_writesets(const metadata& of) {
    for (std::size_t i = 0; i < of.writesets.size(); ++i) {
      if (of.writesets[i].nr_bits != of.superblock.nr_blocks) {
        report(of, i, problem_code::writeset_nr_bits,
               std::to_string(of.writesets[i].nr_bits) + " bits for " +
                   std::to_string(of.superblock.nr_blocks) + " data blocks");
      }
    }
  }

  // Archived eras run unbroken up to the current one, or to that before it while it is open.
  void check_gaps(const metadata& of) {
    const bool open = of.has_current || of.is_snapshot();
    const std::size_t n = of.nr_archived();
    for (std::size_t i = 0; i < n; ++i) {
      const std::uint64_t era = of.writesets[i].era;
      const std::uint64_t expected_next = era + 1;
      const std::uint64_t next =
          i + 1 < n ? of.writesets[i + 1].era : std::uint64_t{of.superblock.current_era} + !open;
      if (next > expected_next) {
        report(of, i, problem_code::writeset_gap,
               "after it " +
                   (next - expected_next == 1 ? "era " + std::to_string(expected_next) + " is"
                                              : "the eras " + std::to_string(expected_next) +
                                                    " to " + std::to_string(next - 1) + " are") +
                   " missing");
      }
    }
  }

  check_summary summary_;
  metadata_file file_;
  pd::reference_counts counts_;
  counting_sink sink_;
  base::progress& progress_;
  bool lost_references_ = false;  // what damaged trees refer to is not counted
};

}  // namespace

check_summary check(pd::block_device& device, const check_options& options, problem_sink& sink,
                    base::progress& progress) {
  return checker(device, sink, progress).run(options);
}

}  // namespace era
