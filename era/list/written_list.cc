#include "era/list/written_list.h"

#include <algorithm>
#include <bit>

#include "era/read/plausibility.h"

namespace era {
namespace {

// One bit for each takes 512 MiB.
constexpr std::uint64_t most_list_blocks = std::uint64_t{1} << 32;

// What was written later than the window that is asked for is still to be listed.
std::uint32_t next_since(const metadata& from, const list_question& question) {
  return std::min(next_since_of(from), question.before.value_or(UINT32_MAX));
}

list_facts facts_of(const metadata& found, const list_question& question, const std::string& file) {
  list_facts facts;
  facts.file = file;
  facts.geometry = {found.superblock.data_block_size, found.superblock.nr_blocks};
  facts.source = found.state;
  facts.current_open = found.has_current;
  facts.current_era = found.superblock.current_era;
  facts.written_since = question.since;
  facts.written_before = question.before;
  facts.next_since = next_since(found, question);
  if (question.last && question.last->nr_blocks != facts.geometry.nr_blocks) {
    facts.nr_blocks_before = question.last->nr_blocks;
  }
  facts.block_bytes = facts.geometry.block_bytes();
  facts.origin_bytes = facts.geometry.bytes_of(facts.geometry.nr_blocks);
  return facts;
}

// What lies past the end of the device does not count.
void count_bytes(written_list& list) {
  list_facts& facts = list.facts;
  const std::uint64_t nr_blocks = list.blocks.nr_blocks();
  const bool has_last = nr_blocks > 0 && list.blocks.first_from(nr_blocks - 1) < nr_blocks;
  facts.total_bytes = facts.total_blocks * facts.block_bytes -
                      (has_last ? nr_blocks * facts.block_bytes - facts.origin_bytes : 0);
}

void count(written_list& list) {
  const written_blocks::totals found = list.blocks.count();
  list.facts.total_blocks = found.blocks;
  list.facts.total_ranges = found.ranges;
  count_bytes(list);
}

// Where damage is tolerated, nobody knows that what is lost was not written within the window.
void add_lost(written_blocks& blocks, const era_reader& eras) {
  for (const auto* const lost : {&eras.lost_in_writesets(), &eras.lost_in_era_array()}) {
    for (const block_range& range : *lost) {
      blocks.add({range.first, std::min(range.end, blocks.nr_blocks())});
    }
  }
}

}  // namespace

// An open era goes on collecting writes; a closed one does not. A snapshot holds all before its
// current era.
std::uint32_t next_since_of(const metadata& from) {
  const std::uint32_t era = from.superblock.current_era;
  const bool goes_on = from.is_snapshot() || from.has_current || era == UINT32_MAX;
  return goes_on ? era : era + 1;
}

written_list list_written_blocks(metadata_file& from, metadata_state which,
                                 const list_question& asked, problem_sink& problems,
                                 base::progress& progress) {
  list_question question = asked;
  metadata found = from.load(which, problems);
  if (question.last) {
    require_same_device(*question.last, found.superblock, from.name());
    question.since = question.last->next_since;
  }
  require_possible(found, question.since, from.name());
  if (report_missing_eras(found, question.since, problems)) {
    found.lost_writesets = true;  // tolerated: any block may have been written then
  }
  era_reader eras(found, problems);
  progress.begin("listing", pd::block_size);
  const std::uint32_t nr_blocks = found.superblock.nr_blocks;
  written_list list{facts_of(found, question, from.name()),
                    written_blocks(eras, question.since, nr_blocks, progress)};
  if (question.before && *question.before <= found.superblock.current_era) {
    list.blocks.remove(written_blocks(eras, *question.before, nr_blocks, progress));
    add_lost(list.blocks, eras);
  }
  if (list.facts.nr_blocks_before && *list.facts.nr_blocks_before < nr_blocks) {
    list.blocks.add({*list.facts.nr_blocks_before, nr_blocks});
  }
  from.require_held(found);
  count(list);
  return list;
}

void end_with_origin(written_list& list, std::uint64_t origin_bytes) {
  list_facts& facts = list.facts;
  const geometry& device = facts.geometry;
  if (device.nr_blocks > 0 && origin_bytes <= device.bytes_of(device.nr_blocks - 1)) {
    throw base::data_error("the origin has " + std::to_string(origin_bytes) + " bytes, but " +
                           facts.file + " says that it has " + std::to_string(device.nr_blocks) +
                           " data blocks of " + std::to_string(device.block_bytes()) +
                           " bytes\nIt is not the origin of this metadata.");
  }
  facts.origin_bytes = std::min(origin_bytes, device.bytes_of(device.nr_blocks));
  count_bytes(list);
}

since_state state_after(const list_facts& facts) {
  return {facts.next_since, facts.geometry.block_size, facts.geometry.nr_blocks, facts.current_era,
          false};
}

void change_granularity(written_list& list, std::uint64_t block_bytes) {
  const std::uint64_t blocks = base::ceil_div(list.facts.origin_bytes, block_bytes);
  if (blocks > most_list_blocks) {
    const std::uint64_t enough =
        std::bit_ceil(base::ceil_div(list.facts.origin_bytes, most_list_blocks));
    throw base::data_error("blocks of " + std::to_string(block_bytes) + " bytes would be " +
                           std::to_string(blocks) + ", and at most " +
                           std::to_string(most_list_blocks) +
                           " can be listed, which takes 512 MiB of memory\n" + "Blocks of " +
                           std::to_string(enough) + " bytes are large enough.");
  }
  written_blocks rescaled(std::vector<std::uint64_t>(base::ceil_div(blocks, pd::bits_per_word)),
                          blocks);
  for_each_run(list.blocks, [&](const block_range& run) {
    const base::byte_range bytes = list.bytes_of(run);
    rescaled.add({bytes.first / block_bytes, base::ceil_div(bytes.end, block_bytes)});
  });
  list.blocks = std::move(rescaled);
  list.facts.block_bytes = block_bytes;
  count(list);
}

}  // namespace era
