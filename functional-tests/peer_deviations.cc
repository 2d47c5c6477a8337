#include "peer_deviations.h"

#include <algorithm>
#include <initializer_list>

#include "metadata_bytes.h"

namespace peer {
namespace {

using harness::metadata_bytes;

constexpr std::uint64_t eras_per_block = 1018;
constexpr std::uint64_t words_per_block = 509;

// What decodes images.

std::uint64_t blocks_for(std::uint64_t values, std::uint64_t per_block) {
  return (values + per_block - 1) / per_block;
}

writeset read_writeset(const metadata_bytes& bytes, const harness::writeset_root& from) {
  writeset set = {from.era, std::vector<bool>(from.nr_bits)};
  const auto blocks = bytes.array_blocks(from.root);
  for (std::uint64_t bit = 0; bit < from.nr_bits; ++bit) {
    const auto word = bit / 64;
    const auto offset = harness::array::values + word % words_per_block * 8 + bit % 64 / 8;
    const auto byte =
        bytes.bytes().at(blocks.at(word / words_per_block) * harness::metadata_block_size + offset);
    set.bits[bit] = (static_cast<unsigned char>(byte) >> bit % 8 & 1) != 0;
  }
  return set;
}

std::optional<writeset> read_open_writeset(const metadata_bytes& bytes) {
  namespace field = harness::superblock;
  const auto root = bytes.get64(0, field::current_root);
  if (root == 0) {
    return std::nullopt;
  }
  return read_writeset(
      bytes, {bytes.get32(0, field::current_era), bytes.get32(0, field::current_nr_bits), root});
}

contents read_contents(const harness::image& image) {
  namespace field = harness::superblock;
  const metadata_bytes bytes(image);
  contents held;
  const auto blocks = bytes.array_blocks(bytes.get64(0, field::era_array));
  const std::uint64_t nr_blocks = bytes.get32(0, field::nr_blocks);
  for (std::uint64_t i = 0; i < nr_blocks; ++i) {
    held.era_array.push_back(bytes.get32(blocks.at(i / eras_per_block),
                                         harness::array::values + i % eras_per_block * 4));
  }
  held.stale_array_block = blocks.size() > blocks_for(nr_blocks, eras_per_block);
  for (const auto& from : bytes.writesets(bytes.get64(0, field::writeset_tree))) {
    held.archived.push_back(read_writeset(bytes, from));
  }
  held.open = read_open_writeset(bytes);
  return held;
}

// What is right, and what the peer makes of it.

bool marks(const writeset& set, std::size_t block) {
  return block < set.bits.size() && set.bits[block];
}

bool marks_from(const writeset& set, std::size_t block) {
  for (; block < set.bits.size(); ++block) {
    if (set.bits[block]) {
      return true;
    }
  }
  return false;
}

// The last-written eras, but for the open era.
std::vector<std::uint32_t> archived_eras(const contents& held) {
  auto eras = held.era_array;
  for (const auto& set : held.archived) {
    for (std::size_t block = 0; block < eras.size(); ++block) {
      if (marks(set, block)) {
        eras[block] = std::max(eras[block], set.era);
      }
    }
  }
  return eras;
}

std::vector<harness::era_run> runs_of(const std::vector<std::uint32_t>& eras) {
  std::vector<harness::era_run> runs;
  runs.reserve(eras.size());
  for (std::size_t block = 0; block < eras.size(); ++block) {
    runs.push_back({block, 1, eras[block]});
  }
  return runs;
}

// Without the unlisted ones at the end: a listing does not say how long the device is.
std::vector<bool> trimmed(std::vector<bool> listed) {
  while (!listed.empty() && !listed.back()) {
    listed.pop_back();
  }
  return listed;
}

std::vector<bool> written_since(const std::vector<std::uint32_t>& eras, std::uint32_t since) {
  std::vector<bool> written;
  written.reserve(eras.size());
  for (const auto era : eras) {
    written.push_back(era >= since);
  }
  return written;
}

// The blocks that the peer's era_invalidate lists.
std::vector<bool> peer_listing(const contents& held, std::uint32_t since) {
  auto listed = written_since(held.era_array, since);
  for (const auto& set : held.archived) {
    if (set.era >= since) {
      listed.resize(std::max(listed.size(), set.bits.size()));
      for (std::size_t block = 0; block < set.bits.size(); ++block) {
        listed[block] = listed[block] || set.bits[block];
      }
    }
  }
  return listed;
}

// The conditions of the deviations.

bool dumps(const question& asked) {
  return asked.command == command::dump || asked.command == command::logical_dump;
}

bool walks_era_array(const question& asked) {
  return asked.command == command::check || dumps(asked);
}

bool open_era_left_out(const subject& about, const question& asked) {
  const auto& open = about.held.open;
  if (!open || asked.command == command::check || asked.command == command::invalidate_snapshot) {
    return false;
  }
  if (asked.command == command::dump) {
    return true;
  }
  const bool all = asked.command == command::logical_dump;
  const auto since = all ? open->era : asked.since;
  const auto eras = archived_eras(about.held);
  for (std::size_t block = 0; block < eras.size() && since <= open->era; ++block) {
    if (marks(*open, block) && eras[block] < since) {
      return true;
    }
  }
  return false;
}

bool oldest_era_wins(const subject& about, const question& asked) {
  return asked.command == command::logical_dump &&
         peer_eras(about.held) != archived_eras(about.held);
}

bool live_for_snapshot(const subject& about, const question& asked) {
  return asked.command == command::invalidate_snapshot && about.snapshot &&
         trimmed(peer_listing(about.held, asked.since)) !=
             trimmed(written_since(about.snapshot->eras(), asked.since));
}

bool past_the_end(const subject& about, const question& asked) {
  const auto& sets = about.held.archived;
  return asked.command == command::invalidate &&
         std::any_of(sets.begin(), sets.end(), [&](const writeset& set) {
           return set.era >= asked.since && marks_from(set, about.held.era_array.size());
         });
}

bool stale_array_block(const subject& about, const question& asked) {
  return about.held.stale_array_block && walks_era_array(asked);
}

bool empty_era_array(const subject& about, const question& asked) {
  return about.live.nr_blocks == 0 && walks_era_array(asked);
}

bool empty_writeset(const subject& about, const question& asked) {
  const auto& sets = about.held.archived;
  return (walks_era_array(asked) || asked.command == command::invalidate) &&
         std::any_of(sets.begin(), sets.end(),
                     [](const writeset& set) { return set.bits.empty(); });
}

bool restores_one_of(std::initializer_list<const char*> names, const subject& about,
                     const question& asked) {
  return asked.command == command::restore &&
         std::find(names.begin(), names.end(), about.name) != names.end();
}

}  // namespace

subject subject_of(const harness::image& image) {
  return {image.name, image.block_size, read_contents(image), image.live, image.snapshot};
}

subject subject_of(const fixtures::document& document, const std::string& name) {
  contents held;
  held.era_array.resize(document.nr_blocks);
  for (const auto& [block, era] : document.eras) {
    held.era_array.at(block) = era;
  }
  for (const auto& set : document.writesets) {
    held.archived.push_back({set.era, std::vector<bool>(set.nr_bits)});
    for (const auto bit : set.bits) {
      held.archived.back().bits.at(bit) = true;
    }
  }
  const auto eras = archived_eras(held);
  return {name,
          document.block_size,
          held,
          {document.current_era, document.nr_blocks, runs_of(eras)},
          {}};
}

subject restored(const subject& from) {
  auto result = from;
  result.name += ", restored";
  result.held.stale_array_block = false;
  if (from.held.open) {
    result.held.archived.push_back(*from.held.open);
    result.held.open.reset();
  }
  result.snapshot.reset();
  return result;
}

std::vector<std::uint32_t> peer_eras(const contents& held) {
  std::vector<std::uint32_t> eras(held.era_array.size());
  for (auto set = held.archived.rbegin(); set != held.archived.rend(); ++set) {
    for (std::size_t block = 0; block < eras.size(); ++block) {
      eras[block] = marks(*set, block) ? set->era : eras[block];
    }
  }
  for (std::size_t block = 0; block < eras.size(); ++block) {
    eras[block] = std::max(eras[block], held.era_array[block]);
  }
  return eras;
}

const std::vector<deviation>& deviations() {
  static const std::vector<deviation> all = {
      {"open-era",
       "10.1, 10.2: the peer leaves out the writeset of the era that was open at a power cut, and "
       "with it the blocks written last",
       open_era_left_out},
      {"oldest-era",
       "10.1: where several archived writesets mark a block, the peer's --logical takes the oldest",
       oldest_era_wins},
      {"live-for-snapshot",
       "10.2: the peer's --metadata-snapshot requires a snapshot, but reads the live metadata",
       live_for_snapshot},
      {"past-the-end",
       "10.2: the peer lists blocks at and after nr_blocks that a longer writeset marks",
       past_the_end},
      {"stale-block",
       "4: a shrink can leave an array block past the end; the peer takes that for damage",
       stale_array_block},
      {"no-blocks",
       "10.1, 10.3: the peer takes the empty era array of a device that was never resumed for "
       "damage",
       empty_era_array},
      {"no-bits",
       "10.3: the peer takes a writeset of 0 bits for damage, though its restore made it",
       empty_writeset},
      {"marked", "10.1: we read the runs that 1.3.3 accepts",
       [](const subject& about, const question& asked) {
         return restores_one_of({"a marked run", "a marked run across words"}, about, asked);
       }},
      {"given-twice",
       "10.1: what a document says twice may contradict itself; the peer takes the last, and leaks "
       "blocks of an era given twice (10.3)",
       [](const subject& about, const question& asked) {
         return restores_one_of(
             {"an era twice", "a bit twice", "a block twice", "a block in two arrays"}, about,
             asked);
       }},
      {"era-too-high",
       "10.1, 10.3: the peer restores eras above current_era, and we (its era_check too, in the "
       "array) call the result damaged",
       [](const subject& about, const question& asked) {
         return restores_one_of({"a block of an era above the current one",
                                 "a writeset of an era above the current one"},
                                about, asked);
       }},
      {"block-size", "1, 8, 10.1: the peer restores a data block size that the kernel refuses",
       [](const subject& about, const question& asked) {
         return restores_one_of({"a block size of 0", "a block size of 12"}, about, asked);
       }},
      {"misplaced",
       "10.1: once a writeset or the array was begun, the peer takes what belongs into it from "
       "anywhere",
       [](const subject& about, const question& asked) {
         return restores_one_of({"a bit in the array", "a bit in a bit", "an array in an array",
                                 "a writeset in the array", "an array in a writeset"},
                                about, asked);
       }},
      {"entities",
       "10.1 names declaration and DOCTYPE only: we refuse entities, which no dump needs, which "
       "let "
       "a document grow without bound, and which the peer drops if they are declared elsewhere",
       [](const subject& about, const question& asked) {
         return restores_one_of({"an entity", "an unused entity", "an entity declared elsewhere"},
                                about, asked);
       }},
  };
  return all;
}

std::vector<std::string> expected_deviations(const subject& subject, const question& question) {
  std::vector<std::string> ids;
  for (const auto& deviation : deviations()) {
    if (deviation.expected(subject, question)) {
      ids.push_back(deviation.id);
    }
  }
  return ids;
}

}  // namespace peer
