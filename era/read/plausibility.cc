#include "era/read/plausibility.h"

#include <algorithm>

#include "base/error.h"

namespace era {
namespace {

std::string current_era_is(const metadata& of) {
  return "the current era is " + std::to_string(of.superblock.current_era);
}

}  // namespace

void check_writesets(const metadata& of, problem_sink& sink) {
  const std::uint32_t current = of.superblock.current_era;
  for (std::size_t i = 0; i < of.nr_archived(); ++i) {
    const writeset& set = of.writesets[i];
    const auto report = [&](problem_code code, const std::string& what) {
      sink.found({code, of.place_of(i), set.root, what});
    };
    if (set.era > current || (of.is_snapshot() && set.era == current)) {
      report(problem_code::writeset_era, "archived, though " + current_era_is(of));
    } else if (of.has_current && set.era == current) {
      report(problem_code::writeset_era,
             "archived, though era " + std::to_string(current) + " is still open");
    }
    if (of.has_current && set.root == of.superblock.current_root) {
      report(problem_code::current_writeset_archived, "its bitset is that of the current writeset");
    }
  }
  // That its own eras are impossible, the superblock has said.
  if (of.superblock.nr_blocks == 0 && current == 0 && of.nr_archived() > 0) {
    sink.found({problem_code::superblock_nr_blocks,
                {structure::superblock, of.is_snapshot(), 0, false},
                of.superblock.location,
                "no data blocks, but archived writesets"});
  }
}

void check_array_eras(const metadata& of, const pd::array_block_request& request,
                      const std::byte* values, problem_sink& sink) {
  const std::uint32_t current = of.superblock.current_era;
  if (base::any_le32_above(values, request.entries, current)) {
    report_later_eras(of, request, values, problem_code::era_above_current, current,
                      current_era_is(of), sink);
  }
}

void report_later_eras(const metadata& of, const pd::array_block_request& request,
                       const std::byte* values, problem_code code, std::uint32_t limit,
                       const std::string& against, problem_sink& sink) {
  std::uint32_t first = 0;
  std::uint32_t above = 0;
  for (std::uint32_t i = request.entries; i-- > 0;) {
    if (base::get_le32(values + era_size * i) > limit) {
      first = i;
      ++above;
    }
  }
  const std::uint64_t block = std::uint64_t{request.ref.key} * eras_in_a_block + first;
  std::string what = "data block " + std::to_string(block) + " has era " +
                     std::to_string(base::get_le32(values + era_size * first)) + ", but " + against;
  if (above > 1) {
    what += "; so have " + std::to_string(above - 1) + " more in this array block";
  }
  sink.found({code, of.place_of(request.tag), request.ref.block, what});
}

std::vector<era_gap> missing_eras(const metadata& of) {
  const bool open = of.has_current || of.is_snapshot();
  const std::size_t n = of.nr_archived();
  std::vector<era_gap> gaps;
  for (std::size_t i = 0; i < n; ++i) {
    const std::uint64_t expected = std::uint64_t{of.writesets[i].era} + 1;
    const std::uint64_t next =
        i + 1 < n ? of.writesets[i + 1].era : std::uint64_t{of.superblock.current_era} + !open;
    if (next > expected) {
      gaps.push_back(
          {i, static_cast<std::uint32_t>(expected), static_cast<std::uint32_t>(next - 1)});
    }
  }
  return gaps;
}

problem problem_of(const metadata& of, const era_gap& gap) {
  const std::string which = gap.first == gap.last ? "era " + std::to_string(gap.first) + " is"
                                                  : "the eras " + std::to_string(gap.first) +
                                                        " to " + std::to_string(gap.last) + " are";
  return {problem_code::writeset_gap, of.place_of(gap.after), of.writesets[gap.after].root,
          "after it " + which + " missing"};
}

std::optional<std::uint32_t> report_missing_eras(const metadata& of, std::uint32_t since,
                                                 problem_sink& sink) {
  std::optional<std::uint32_t> latest;
  for (const era_gap& gap : missing_eras(of)) {
    if (gap.last >= since) {
      problem found = problem_of(of, gap);
      found.decisive = true;
      sink.found(found);
      latest = gap.last;
    }
  }
  return latest;
}

void require_possible(const metadata& of, std::uint32_t since, const std::string& file) {
  const std::uint32_t current = of.superblock.current_era;
  const std::uint64_t latest = std::uint64_t{current} + !of.is_snapshot();
  if (since <= latest) {
    return;
  }
  throw base::data_error(
      file + ": the list since era " + std::to_string(since) + " is asked for, but " +
      (of.is_snapshot() ? "the metadata snapshot's" : "the") + " current era is " +
      std::to_string(current) +
      ".\nSo that era was not noted from this metadata as it is: it was made anew, or is another "
      "device's" +
      (of.is_snapshot() ? ", or the snapshot is older than the last round" : "") +
      ".\nTake every block as written (the list since era 0), and note the era anew.");
}

}  // namespace era
