#include "era/check/check.h"

#include <algorithm>

#include "era/read/plausibility.h"
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
  space_map_sink(const superblock& live, block_nr usable, problem_sink& sink)
      : never_resumed_(live.current_era == 0 && live.nr_blocks == 0),
        map_blocks_(live.space_map.nr_blocks),
        usable_(usable),
        sink_(sink) {}

  void damaged(const pd::damage& found) override {
    if (found.kind == pd::damage_kind::map_root && map_blocks_ > usable_) {
      return;  // who read the state has said so first
    }
    const bool hint = found.kind == pd::damage_kind::map_nr_free ||
                      found.kind == pd::damage_kind::map_none_free_before;
    const problem_code code =
        hint && never_resumed_ ? problem_code::map_hints_never_resumed : code_of(found.kind);
    sink_.found({code, {structure::space_map, false, 0, false}, found.block, found.what});
  }

 private:
  bool never_resumed_;
  std::uint64_t map_blocks_;
  block_nr usable_;
  problem_sink& sink_;
};

// Reads the arrays of one state of the metadata, live or snapshot: first all their indexes, then
// their blocks as they lie on the disk.
class array_checker final : public pd::index_visitor, private pd::array_block_visitor {
 public:
  array_checker(metadata& of, problem_sink& sink, base::progress& progress,
                std::uint64_t blocks_in_use)
      : metadata_(of),
        sink_(sink),
        progress_(progress),
        blocks_in_use_(blocks_in_use),
        oldest_archived_(of.nr_archived() > 0 ? of.writesets.front().era
                                              : of.superblock.current_era) {}

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
    if (!base::any_le32_above(data, request.entries, std::min(current, oldest_archived_))) {
      return;
    }
    if (base::any_le32_above(data, request.entries, current)) {
      check_array_eras(metadata_, request, data, sink_);
    } else {
      report_later_eras(metadata_, request, data, problem_code::era_above_archived,
                        oldest_archived_,
                        "era " + std::to_string(oldest_archived_) + " is not yet digested", sink_);
    }
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
  std::uint32_t oldest_archived_;      // the current era if none is
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
    progress_.begin("checking", pd::block_size);
    summary_.state = options.state;
    const std::optional<superblock> live = file_.read_superblock(0, sink_);
    if (live) {
      summary_.space_map = live->space_map;
      summary_.metadata_snap = live->metadata_snap;
      file_.check_length(*live, sink_);
      if (options.state == metadata_state::snapshot) {
        check_held_snapshot(*live, options.superblock_only);
      } else {
        check_live(*live, options.superblock_only);
      }
    }
    summary_.blocks_read = file_.blocks().blocks_read() + 1;
    return summary_;
  }

 private:
  void found(const superblock& from) {
    summary_.superblock_usable = true;
    summary_.found = from;
  }

  void count_writesets(const metadata& of) {
    if (!of.lost_writesets) {
      summary_.archived_writesets = of.nr_archived();
    }
  }

  void check_live(const superblock& live, bool superblock_only) {
    found(live);
    if (superblock_only) {
      return;
    }
    counts_.add(0);
    counts_.add(live.writeset_tree_root);
    counts_.add(live.era_array_root);
    if (live.current_open()) {
      counts_.add(live.current_root);
    }
    if (live.metadata_snap != pd::no_block && live.metadata_snap < file_.blocks().usable()) {
      counts_.add(live.metadata_snap);
    }
    metadata state = file_.read_state(live, metadata_state::live, sink_, &counts_);
    count_writesets(state);
    check_state(state);
    if (live.metadata_snap != pd::no_block) {
      check_snapshot(live);
    }
    space_map_sink map_sink(live, file_.blocks().usable(), sink_);
    pd::check_space_map(state.walk, live.space_map, !lost_references_, map_sink);
  }

  // The snapshot shares blocks with the live trees by right, so each state has its own set of
  // blocks that were met.
  void check_snapshot(const superblock& live) {
    const std::optional<superblock> copy = read_copy(live);
    if (!copy) {
      lost_references_ = true;
      return;
    }
    counts_.add(copy->writeset_tree_root);
    counts_.add(copy->era_array_root);
    metadata state = file_.read_state(*copy, metadata_state::snapshot, sink_, &counts_);
    check_state(state);
  }

  void check_held_snapshot(const superblock& live, bool superblock_only) {
    metadata_file::require_snapshot(live, file_.name());
    const std::optional<superblock> copy = read_copy(live);
    if (!copy) {
      return;
    }
    found(*copy);
    if (superblock_only) {
      return;
    }
    metadata state = file_.read_state(*copy, metadata_state::snapshot, sink_);
    count_writesets(state);
    check_state(state);
    file_.require_held(state);
  }

  std::optional<superblock> read_copy(const superblock& live) {
    const std::optional<superblock> copy = file_.read_superblock(live.metadata_snap, sink_);
    if (!copy) {
      return std::nullopt;
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
    return copy;
  }

  void check_state(metadata& of) {
    check_lengths_of_writesets(of);
    for (const era_gap& gap : missing_eras(of)) {
      sink_.found(problem_of(of, gap));
    }
    array_checker arrays(of, sink_, progress_, summary_.space_map.nr_allocated);
    arrays.check_writesets_and_era_array();
    lost_references_ = lost_references_ || of.lost_writesets || arrays.lost_nodes();
  }

  void report(const metadata& of, std::size_t i, problem_code code, const std::string& what) {
    sink_.found({code, of.place_of(i), of.writesets[i].root, what});
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
