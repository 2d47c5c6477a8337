#include <memory>
#include <optional>
#include <string>

#include "base/content.h"
#include "base/error.h"
#include "base/in_use.h"
#include "base/number.h"
#include "bin/command_line.h"
#include "bin/live_cache.h"
#include "bin/metadata_source.h"
#include "bin/open_text.h"
#include "cache/mapping_reader.h"
#include "cache/mapping_xml.h"
#include "cache/superblock.h"
#include "era/rollback/invalidation.h"
#include "era/rollback/list_reader.h"

namespace {

constexpr cli::command command{
    "era_cache_invalidate",
    "[options] {--cache NAME | --cache-metadata FILE} {--written-since ERA {device|file} | --list "
    "FILE}",
    "Names the cache blocks that hold what was written to an era device in era ERA or later.",
    {{0, "cache", "NAME", "of this live cache, which must be in passthrough mode"},
     {0, "cache-metadata", "FILE", "of the cache with this metadata, or with this XML of it"},
     {0, "written-since", "ERA", "what was written in era ERA or later (ERA included)"},
     cli::metadata_snapshot_option("read the metadata snapshot; the era device may be live"),
     cli::live_option,
     cli::keep_option,
     cli::replace_snapshot_option,
     {0, "list", "FILE", "what this list of era_invalidate says was written; - is standard input"},
     {0, "data-block-size", "SECTORS", "of the era device, for a list in XML"},
     {0, "allow-dirty", nullptr, "name cache blocks that are or may be dirty, too"},
     {0, "execute", nullptr, "have the live cache forget them"},
     cli::output_option,
     {0, "format", "FORMAT", "arguments of the message invalidate_cblocks (text), or json"},
     {0, "summary", nullptr, "print the totals alone"},
     cli::progress_option,
     cli::quiet_option}};

void require_one_of(const cli::arguments& given, const std::string& one, const std::string& other) {
  given.exclude(one, {other});
  if (!given.has(one) && !given.has(other)) {
    throw base::usage_error("Please specify --" + one + " or --" + other + ".");
  }
}

void require_with(const cli::arguments& given, const std::string& what, const std::string& with) {
  if (given.has(what) && !given.has(with)) {
    throw base::usage_error("--" + what + " goes with --" + with + ".");
  }
}

void check_options(const cli::arguments& given) {
  if (!given.has("list")) {
    cli::require_source(given);
  } else if (given.has_input() || given.has("live")) {
    throw base::usage_error("'" + (given.has_input() ? given.input() : given.value("live")) +
                            "' is one input too many: --list is read.");
  }
  require_one_of(given, "list", "written-since");
  require_one_of(given, "cache", "cache-metadata");
  require_with(given, "metadata-snapshot", "written-since");
  require_with(given, "data-block-size", "list");
  require_with(given, "execute", "cache");
  require_with(given, "allow-dirty", "cache-metadata");
}

std::optional<std::uint32_t> data_block_size(const cli::arguments& given) {
  if (!given.has("data-block-size")) {
    return std::nullopt;
  }
  const auto sectors = static_cast<std::uint32_t>(given.number("data-block-size", UINT32_MAX));
  if (!era::is_data_block_size(sectors)) {
    throw base::usage_error("option '--data-block-size': give a positive multiple of 8 sectors.");
  }
  return sectors;
}

era::changed_blocks changed_in_list(const cli::arguments& given) {
  const std::optional<std::uint32_t> block_size = data_block_size(given);
  const cli::opened_text text = cli::open_text(given.value("list"));
  base::text_pieces pieces(text.source);
  try {
    return era::read_list(pieces, block_size);
  } catch (const era::block_size_unknown& unknown) {
    throw base::data_error(unknown.what() +
                           std::string("\nGive --data-block-size, or make the list with "
                                       "--format json."));
  }
}

era::changed_blocks changed_in_metadata(const cli::arguments& given, cli::metadata_source& source) {
  const auto since = static_cast<std::uint32_t>(given.number("written-since", UINT32_MAX));
  base::progress_bar progress(cli::when_to_show_progress(given));
  era::metadata_file metadata(source.device());
  era::strict_sink strict(source.name());
  era::changed_blocks changed = era::changed_of(
      era::list_written_blocks(metadata, source.state(), {since, {}, {}}, strict, progress));
  source.finish();
  return changed;
}

void refuse_other_metadata(pd::file_device& device, const std::string& head) {
  if (head.size() < pd::block_size) {
    cli::refuse_too_small(device);
  }
  const auto* const block = reinterpret_cast<const std::byte*>(head.data());
  if (cache::has_sound_checksum(block)) {
    return;
  }
  const std::string foreign = era::has_sound_checksum(block)
                                  ? "the metadata of an era device"
                                  : era::foreign_content(block, device.content());
  if (!foreign.empty()) {
    throw base::data_error(device.name() + ": this looks like " + foreign + ", not cache metadata");
  }
}

era::stale_blocks stale_in_metadata(const cli::arguments& given,
                                    const era::changed_blocks& changed) {
  const std::string path = given.value("cache-metadata");
  pd::file_device device = pd::file_device::open_for_reading(
      path, pd::file_device::sharing::exclusive,
      "Deactivate the cache that uses it, or, in passthrough mode, give its name with --cache.");
  const std::string head = device.first_bytes();
  era::stale_finder finder(changed);
  if (base::looks_like_xml(head)) {
    const cli::opened_text text = cli::open_text(path);
    base::text_pieces pieces(text.source);
    cache::read_mapping_xml(pieces, finder);
  } else {
    refuse_other_metadata(device, head);
    cache::read_mappings(device, finder);
  }
  return finder.finish();
}

void refuse_dirty(const era::stale_blocks& stale, const std::string& cache) {
  if (stale.nr_stale_dirty == 0) {
    return;
  }
  const std::string count = std::to_string(stale.nr_stale_dirty);
  throw base::data_error(
      cache + ": of the " + base::counted(stale.nr_stale, "cache block") + " to be invalidated " +
      count + (stale.cache.dirty_is_known ? " are dirty" : " may be dirty") + ", the first is " +
      std::to_string(stale.first_stale_dirty) +
      (stale.cache.dirty_is_known
           ? "\nClean the cache first (policy cleaner), or use --allow-dirty to lose what they "
             "hold."
           : "\nThe cache was not shut down cleanly, or this is XML: nothing says which blocks are "
             "clean.\n"
             "Use --cache with the live cache, or --allow-dirty if its status shows no dirty "
             "block."));
}

class result_writer {
 public:
  // `input` is read besides the cache.
  result_writer(const cli::arguments& given, const std::string& input)
      : json_(given.choice("format", {"text", "json"}) == "json"), summary_(given.has("summary")) {
    const std::string path = given.value("output", "-");
    if (path != "-" && given.has("cache-metadata")) {
      refuse_cache_metadata(path, given.value("cache-metadata"));
    }
    if (path != "-" || !given.has("quiet")) {
      out_.emplace(path, input == "-" ? "" : input);
    }
  }

  void print(const era::invalidation_facts& facts) {
    if (!out_) {
      return;
    }
    if (json_) {
      print_json(facts, summary_ ? era::with_ranges::no : era::with_ranges::yes, *out_);
    } else if (summary_) {
      print_summary(facts, *out_);
    } else {
      print_messages(facts.stale, *out_);
    }
    out_->commit();
  }

  void print_done(const era::invalidation_facts& facts) {
    if (out_ && !json_ && !summary_) {
      *out_ << base::counted(facts.stale.nr_stale, "cache block") << " invalidated\n";
      out_->commit();
      return;
    }
    print(facts);
  }

 private:
  static void refuse_cache_metadata(const std::string& path, const std::string& input) {
    struct stat output {};
    if (::stat(path.c_str(), &output) == 0) {
      base::refuse_input(output, path, base::stat_path(input));
    }
  }

  bool json_;
  bool summary_;
  std::optional<base::output> out_;
};

std::unique_ptr<pd::block_device> open_live_metadata(const std::string& number) {
  return std::make_unique<pd::file_device>(
      pd::file_device::open_for_reading(dm::node_of(number), pd::file_device::sharing::shared));
}

void invalidate_live(const cli::arguments& given, const era::changed_blocks& changed,
                     result_writer& result, cli::live_cache& cache) {
  const era::stale_blocks stale = cache.find_stale(changed);
  const era::invalidation_facts facts{changed, stale, cache.name()};
  if (given.has("execute")) {
    cache.invalidate(stale, changed);
    result.print_done(facts);
  } else {
    result.print(facts);
  }
}

cli::exit_status invalidate(const cli::arguments& given) {
  check_options(given);
  const std::unique_ptr<dm::devices> devices = given.has("cache") ? dm::system_devices() : nullptr;
  std::optional<cli::live_cache> live;
  if (devices) {
    live.emplace(*devices, given.value("cache"), open_live_metadata);
  }
  std::optional<cli::metadata_source> source;
  if (!given.has("list")) {
    source.emplace(given, command);
  }
  if (live && source && source->live_number()) {
    live->require_above(*source->live_number(), given.value("live"));
  }
  result_writer result(given, source ? source->name() : given.value("list"));
  const era::changed_blocks changed =
      source ? changed_in_metadata(given, *source) : changed_in_list(given);
  if (live) {
    invalidate_live(given, changed, result, *live);
    return cli::exit_status::success;
  }
  const std::string path = given.value("cache-metadata");
  const era::stale_blocks stale = stale_in_metadata(given, changed);
  if (!given.has("allow-dirty")) {
    refuse_dirty(stale, path);
  }
  result.print({changed, stale, path});
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, invalidate);
}
