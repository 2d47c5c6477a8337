#include "era/repair/repair.h"

#include <algorithm>

#include "era/build/all_written.h"
#include "era/repair/resealed_superblock.h"

namespace era {
namespace {

// Passes on what is said of superblocks, and notes whether an error was among it.
class superblock_errors final : public problem_sink {
 public:
  explicit superblock_errors(problem_sink& next) : next_(next) {}

  void found(const problem& p) override {
    if (is_error(p) && first_.empty()) {
      first_ = p.what;
    }
    next_.found(p);
  }

  // What the first one was; empty if there was none.
  const std::string& first() const { return first_; }

 private:
  problem_sink& next_;
  std::string first_;
};

class length_errors final : public problem_sink {
 public:
  explicit length_errors(problem_sink& next) : next_(next) {}

  void found(const problem& p) override {
    if (p.code == problem_code::superblock_nr_blocks) {
      next_.found(p);
    }
  }

 private:
  problem_sink& next_;
};

// Writesets of no data blocks contradict a superblock that is sound by itself. Where there are data
// blocks, the current era can be raised to that of any writeset.
void report_contradicted_length(metadata_file& file, metadata_state which, problem_sink& sink) {
  length_errors only(sink);
  file.load(which, only);
}

bool is_contradicted(const superblock& by_device, const repair_options& by_caller) {
  const auto differs = [](std::optional<std::uint32_t> given, std::uint32_t found) {
    return given && *given != found;
  };
  return differs(by_caller.data_block_size, by_device.data_block_size) ||
         differs(by_caller.nr_blocks, by_device.nr_blocks) ||
         differs(by_caller.current_era, by_device.current_era);
}

// Block 0, as far as it can be read.
struct first_block {
  explicit first_block(pd::block_device& device) {
    if (device.nr_blocks() == 0 || pd::read_block(device, 0, bytes.block(0)) != 0) {
      return;
    }
    is_sealed = has_sound_checksum(bytes.block(0));
    says = decode_superblock(bytes.block(0));
    is_superblock = says.magic == superblock_magic;
  }

  pd::block_buffer bytes{1};
  bool is_sealed = false;
  bool is_superblock = false;  // whatever its checksum
  superblock says;
};

void refuse_what_is_not_era(const first_block& first, const std::string& file) {
  const std::string foreign = foreign_content(first.bytes.block(0), "");
  if (!foreign.empty()) {
    throw base::data_error(file + ": this looks like " + foreign +
                           ", not era metadata; nothing was repaired.  Give the tool the right "
                           "device.");
  }
  if (first.is_sealed && first.is_superblock && first.says.version != superblock_version) {
    throw base::data_error(file + ": its version is " + std::to_string(first.says.version) +
                           "; only 1 is known, and nothing was repaired.  Use a newer tool.");
  }
}

// What is needed of metadata whose superblock is of no use.
class lost_superblock {
 public:
  // `fault` is what is wrong with block 0, empty if it is sound.
  lost_superblock(pd::block_device& device, const std::string& fault, const repair_options& options,
                  base::progress& progress)
      : device_(device), fault_(fault), options_(options), first_(device) {
    refuse_what_is_not_era(first_, device.name());
    found_ = scan(device, progress);
  }

  repair_summary send_to(contents_sink& into) {
    repair_summary done;
    done.basis = repair_basis::all_written;
    done.contradicted = fault_.empty();
    done.contents.blocks_read = found_.blocks_read + 1;
    done.blocks_recognized = found_.recognized;
    const std::optional<found_number> block_size = find_block_size();
    const std::optional<found_number> length = find_length(done);
    if (!block_size || !length) {
      refuse(!block_size, !length);
    }
    done.data_block_size = *block_size;
    done.nr_blocks = *length;
    done.latest_era = find_latest_era();
    send(done, into);
    return done;
  }

 private:
  // The one that is in its place and has a right checksum is true in all that it can be at all.
  bool is_true() const {
    return first_.is_sealed && first_.is_superblock && first_.says.location == 0;
  }
  std::string name_of_first() const {
    return first_.is_sealed ? "the superblock" : "the damaged superblock";
  }
  static std::string name_of(block_nr block) { return "block " + std::to_string(block); }

  std::optional<found_number> find_block_size() const {
    if (options_.data_block_size) {
      return found_number{*options_.data_block_size, "given"};
    }
    const std::uint32_t first = first_.says.data_block_size;
    const bool first_can_be = first_.is_superblock && is_data_block_size(first);
    if (first_can_be && first_.is_sealed) {
      return found_number{first, name_of_first()};
    }
    if (found_.newest_copy && is_data_block_size(found_.newest_copy->data_block_size)) {
      return found_number{
          found_.newest_copy->data_block_size,
          name_of(found_.newest_copy->location) + ", a superblock of a metadata snapshot"};
    }
    return first_can_be ? std::optional(found_number{first, name_of_first()}) : std::nullopt;
  }

  bool is_length(std::uint32_t nr_blocks) const {
    return nr_blocks > 0 && nr_blocks <= max_data_blocks &&
           nr_blocks <= eras_in_a_block * pd::usable_blocks(device_);
  }

  // Too many are harmless, a kernel cuts them off; those that it adds would count as never written.
  std::optional<found_number> find_length(repair_summary& done) const {
    if (options_.nr_blocks) {
      return found_number{*options_.nr_blocks, "given"};
    }
    const std::uint32_t first = first_.says.nr_blocks;
    const bool first_can_be = first_.is_superblock && is_length(first);
    if (first_can_be && is_true()) {
      return found_number{first, name_of_first()};
    }
    done.may_be_longer = true;
    if (first_can_be && (!found_.nr_blocks || first >= found_.nr_blocks->value)) {
      return found_number{first, name_of_first()};
    }
    if (!found_.nr_blocks) {
      return std::nullopt;
    }
    return found_number{found_.nr_blocks->value,
                        name_of(found_.nr_blocks->block) + ", the largest number found"};
  }

  // A damaged superblock may say anything; how far it is believed costs no more than the distance
  // that the new era keeps anyway.
  std::optional<found_number> find_latest_era() const {
    std::optional<found_number> latest;
    if (found_.latest_era) {
      latest = {found_.latest_era->value, name_of(found_.latest_era->block)};
    }
    const std::uint32_t first = first_.says.current_era;
    const std::uint64_t known = latest ? latest->value : 0;
    const bool first_can_be =
        first_.is_superblock && (first_.is_sealed || first <= known + all_written::usual_distance);
    return first_can_be && first >= known ? found_number{first, name_of_first()} : latest;
  }

  [[noreturn]] void refuse(bool block_size, bool length) const {
    const std::string missing = !length       ? "the data block size"
                                : !block_size ? "the number of data blocks"
                                              : "the data block size and the number of data blocks";
    const std::string clues =
        found_.recognized == 0
            ? "nothing else on the device is a block of era metadata"
            : "no other block says what " + missing + (block_size && length ? " are" : " is");
    throw geometry_unknown(device_.name() + ": " + fault_ + "; " + clues + ".", block_size, length);
  }

  void send(repair_summary& done, contents_sink& into) {
    const superblock_facts facts{done.data_block_size.value, done.nr_blocks.value,
                                 done.latest_era ? done.latest_era->value : 0};
    if (!fits_a_device(facts.block_size, facts.nr_blocks)) {
      throw base::data_error(device_.name() + ": " + std::to_string(facts.nr_blocks) +
                             " data blocks of " + std::to_string(facts.block_size) +
                             " sectors are more bytes than a device can have");
    }
    try {
      all_written written(into, options_.current_era);
      written.begin(facts);
      device_.require_unchanged();
      written.end();
      done.contents.facts = written.facts();
    } catch (const contents_conflict& conflict) {
      throw base::data_error(device_.name() + ": " + conflict.what());
    }
    done.contents.assumed = facts.nr_blocks;
  }

  pd::block_device& device_;
  std::string fault_;
  const repair_options& options_;
  first_block first_;
  scan_result found_;
};

repair_summary send_repaired(pd::block_device& device, repair_basis basis,
                             const repair_options& options, problem_sink& problems,
                             contents_sink& into, base::progress& progress) {
  repair_summary done;
  done.basis = basis;
  metadata_file file(device);
  try {
    done.contents =
        send_contents(file, {options.state, options.logical, true}, problems, into, progress);
  } catch (const contents_conflict&) {
    // Where all can be planned, nothing contradicts itself.
    throw base::data_error(device.name() +
                           ": blocks that could be read at first could not be read again.  Copy "
                           "the metadata, as far as that can be done, and repair the copy.");
  }
  return done;
}

}  // namespace

repair_summary repair(pd::block_device& device, const repair_options& options,
                      problem_sink& problems, contents_sink& into, base::progress& progress) {
  metadata_file file(device);
  if (options.state == metadata_state::snapshot) {
    strict_sink strict(device.name());
    report_contradicted_length(file, options.state, strict);
    return send_repaired(device, repair_basis::superblock, options, problems, into, progress);
  }
  superblock_errors errors(problems);
  const std::optional<superblock> live = file.read_superblock(0, errors);
  if (live && live->nr_blocks == 0 && errors.first().empty()) {
    report_contradicted_length(file, options.state, errors);
  }
  if (live && errors.first().empty()) {
    if (!is_contradicted(*live, options)) {
      return send_repaired(device, repair_basis::superblock, options, problems, into, progress);
    }
  } else if (const auto resealed = find_resealed_superblock(device, progress)) {
    if (!is_contradicted(*resealed, options)) {
      device_with_superblock repaired(device, *resealed);
      return send_repaired(repaired, repair_basis::resealed_superblock, options, problems, into,
                           progress);
    }
  }
  return lost_superblock(device, errors.first(), options, progress).send_to(into);
}

std::string remedy_of(const problem& found) {
  if (!is_error(found)) {
    return "";
  }
  switch (found.code) {
    case problem_code::writeset_gap:
      return "every block is taken as written then";
    case problem_code::era_above_current:
      return "the current era is raised";
    case problem_code::writeset_era:
      return found.loses() ? "taken as written in the current era"
                           : "the current era is raised if this one is later";
    default:
      return found.loses() || found.at.in == structure::writeset_tree
                 ? "taken as written in the current era"
                 : "";
  }
}

std::string with_remedy(const std::string& said, const problem& of) {
  const std::string remedy = remedy_of(of);
  return remedy.empty() ? said : said + "; " + remedy;
}

}  // namespace era
