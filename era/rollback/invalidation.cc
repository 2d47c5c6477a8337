#include "era/rollback/invalidation.h"

#include <cstring>

#include "base/json.h"

namespace era {
namespace {

std::string argument_of(const block_range& run) {
  const std::string first = std::to_string(run.first);
  return run.end - run.first == 1 ? first : first + "-" + std::to_string(run.end);
}

}  // namespace

void make_messages(const written_blocks& blocks,
                   const std::function<void(const std::string& arguments)>& take) {
  const std::size_t most = longest_message - std::strlen(invalidate_message) - 1;
  std::string arguments;
  for_each_run(blocks, [&](const block_range& run) {
    const std::string argument = argument_of(run);
    if (arguments.size() + 1 + argument.size() > most) {
      take(arguments);
      arguments.clear();
    }
    arguments += arguments.empty() ? argument : " " + argument;
  });
  if (!arguments.empty()) {
    take(arguments);
  }
}

void print_messages(const stale_blocks& stale, base::output& out) {
  make_messages(stale.blocks, [&](const std::string& arguments) { out << arguments << "\n"; });
}

void print_summary(const invalidation_facts& facts, base::output& out) {
  const auto line = [&](const char* name, std::uint64_t value) {
    (out << name << " ").number(value) << "\n";
  };
  line("total_cblocks", facts.stale.nr_stale);
  line("total_bytes", facts.stale.stale_bytes());
  line("ranges", facts.stale.blocks.count().ranges);
  line("nr_cache_blocks", facts.stale.cache.nr_blocks);
  line("mappings", facts.stale.nr_mappings);
  line("dirty_mappings", facts.stale.nr_dirty);
  line("dirty_cblocks", facts.stale.nr_stale_dirty);
}

void print_json(const invalidation_facts& facts, with_ranges ranges, base::output& out) {
  const stale_blocks& stale = facts.stale;
  base::text text;
  base::json_writer json(text);
  json.begin_object();
  json.text("tool", "era_cache_invalidate");
  json.text("version", ERA_TOOLS_VERSION);
  json.text("file", facts.changed.name);
  json.text("cache", facts.cache);
  json.number("block_size_sectors", facts.changed.block_size);
  json.number("cache_block_size_sectors", stale.cache.block_size);
  json.number("cache_block_size_bytes", stale.block_bytes());
  json.number("nr_cache_blocks", stale.cache.nr_blocks);
  json.number("mappings", stale.nr_mappings);
  json.boolean("dirty_is_known", stale.cache.dirty_is_known);
  json.number("dirty_mappings", stale.nr_dirty);
  if (facts.changed.written_since) {
    json.number("written_since", *facts.changed.written_since);
  }
  json.number("total_cblocks", stale.nr_stale);
  json.number("total_bytes", stale.stale_bytes());
  json.number("dirty_cblocks", stale.nr_stale_dirty);
  if (ranges == with_ranges::yes) {
    json.begin_array("ranges");
    for_each_run(stale.blocks, [&](const block_range& run) {
      json.begin_object();
      json.number("begin", run.first);
      json.number("end", run.end);
      json.end_object();
      if (text.size() > 65536) {
        out << text.view();
        text.clear();
      }
    });
    json.end_array();
  }
  json.end_object();
  out << text.view();
}

}  // namespace era
