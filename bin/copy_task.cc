#include "bin/copy_task.h"

#include "base/error.h"
#include "base/in_use.h"
#include "bin/since_file.h"
#include "era/list/delta_name.h"

namespace cli {
namespace {

using clock = std::chrono::steady_clock;

std::chrono::milliseconds since(clock::time_point begun) {
  return std::chrono::round<std::chrono::milliseconds>(clock::now() - begun);
}

era::list_question question_of(const arguments& given, const copy_state& state) {
  era::list_question question;
  if (state.has_file()) {
    question.last = state.last();
    question.since = question.last ? question.last->next_since : 0;
  } else {
    question.since = static_cast<std::uint32_t>(given.number("written-since", UINT32_MAX));
  }
  return question;
}

}  // namespace

copy::copy_options copy_options_of(const arguments& given) {
  copy::copy_options options;
  options.skip_equal = given.has("skip-equal");
  options.verify = given.has("verify");
  options.sparse = !given.has("no-sparse");
  options.rate = given.has("rate") ? given.size("rate") : 0;
  return options;
}

void print_report(const copy_report& report, const arguments& given) {
  if (given.has("quiet")) {
    return;
  }
  base::output out("-");
  if (given.value("format", "text") == "json") {
    print_json(report, out);
  } else {
    print_text(report, out);
  }
  out.commit();
}

copy_task::copy_task(const arguments& given, const command& tool, std::string target)
    : given_(given),
      tool_(tool),
      target_path_(std::move(target)),
      options_(copy_options_of(given)),
      state_(given),
      question_(question_of(given, state_)),
      progress_(when_to_show_progress(given)) {}

era::written_list copy_task::list(pd::block_device& metadata, era::metadata_state which,
                                  std::uint64_t origin_bytes) {
  era::metadata_file file(metadata);
  era::strict_sink sink(metadata.name());
  era::written_list found = era::list_written_blocks(file, which, question_, sink, progress_);
  era::end_with_origin(found, origin_bytes);
  return found;
}

void copy_task::open(const era::written_list& first, std::span<const struct stat> sources) {
  if (first.facts.geometry.nr_blocks == 0) {
    throw base::data_error(first.facts.file +
                           ": has no data blocks yet, so it does not say what was written\n"
                           "It has them when the era device has been active once.");
  }
  if (target_path_.empty()) {
    begin_delta(first, sources);
    return;
  }
  const bool copies_all = first.facts.total_bytes == first.facts.origin_bytes;
  target_ = open_copy_target(target_path_, copies_all, sources);
  fit_target(*target_, first);
  state_.begin(era::state_after(first.facts));
}

void copy_task::begin_delta(const era::written_list& first, std::span<const struct stat> sources) {
  const std::string path = given_.value("delta");
  struct stat present {};
  if (path != "-" && ::stat(path.c_str(), &present) == 0) {
    for (const struct stat& source : sources) {
      base::refuse_input(present, path, source);
    }
  }
  delta_file_ = std::make_unique<base::output>(path);
  copy::delta_header header;
  if (first.facts.written_since > 0) {
    era::since_state from = era::state_after(first.facts);
    from.next_since = first.facts.written_since;
    from.nr_blocks = first.facts.nr_blocks_before.value_or(from.nr_blocks);
    header.from = era::delta_name(from);
  }
  header.to = era::delta_name(era::state_after(first.facts));
  header.size = first.facts.origin_bytes;
  delta_ = std::make_unique<copy::delta_writer>(*delta_file_,
                                                path == "-" ? "standard output" : path, header);
}

void copy_task::copy(const era::written_list& list, copy::endpoint& from,
                     const copy::copy_options& how) {
  const clock::time_point begun = clock::now();
  progress_.begin("copying", 1);
  copy::endpoint& to = delta_ ? static_cast<copy::endpoint&>(*delta_) : *target_;
  report_.totals +=
      copy::copy_extents(from, to, extents_of(list), list.facts.total_bytes, how, progress_);
  report_.rounds.push_back(
      {list.facts.written_since, list.facts.total_bytes, list.facts.total_ranges, since(begun)});
  question_ = {list.facts.next_since, std::nullopt, era::state_after(list.facts)};
}

std::optional<double> copy_task::rate() const {
  std::uint64_t bytes = 0;
  std::chrono::milliseconds time{0};
  for (const copy_round& round : report_.rounds) {
    bytes += round.bytes;
    time += round.time;
  }
  constexpr std::chrono::milliseconds long_enough(100);
  return time < long_enough
             ? std::nullopt
             : std::optional(static_cast<double>(bytes) * 1000 / static_cast<double>(time.count()));
}

void copy_task::complete(const era::list_facts& last) {
  report_.next_since = last.next_since;
  if (!delta_) {
    state_.complete(era::state_after(last));
    return;
  }
  delta_->finish();
  delta_file_->commit();
  if (state_.has_file()) {
    state_.wait(era::state_after(last));
    report_.pending = pending_file_of(state_.path());
  }
}

void copy_task::report(const std::string& source) {
  report_.tool = tool_.name;
  report_.source = source;
  report_.target = delta_ ? given_.value("delta") : target_path_;
  if (report_.target != "-") {
    print_report(report_, given_);
  }
}

}  // namespace cli
