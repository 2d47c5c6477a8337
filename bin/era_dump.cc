#include "base/message.h"
#include "base/number.h"
#include "bin/command_line.h"
#include "bin/metadata_source.h"
#include "era/check/packed_metadata.h"
#include "era/repair/repair_report.h"
#include "era/xml/xml_writer.h"

namespace {

constexpr cli::command command{
    "era_dump",
    "[options] {device|file | --live NAME}",
    "Prints the metadata of an era device as XML.",
    {{0, "logical", nullptr, "print only the era in which each block was last written"},
     {'r', "repair", nullptr, "go on after damage; what is lost counts as written just now"},
     cli::metadata_snapshot_option("read the metadata snapshot; the device may be live"),
     cli::live_option,
     cli::keep_option,
     cli::replace_snapshot_option,
     {0, "compact", nullptr, "leave out unset bits and eras of 0"},
     {0, "pack", "FILE", "no XML: pack the blocks in use into FILE, to be mailed in a bug report"},
     cli::output_option,
     cli::progress_option}};

// Keeps what is to be said of a repair until it has come to its end.
class repair_log final : public era::problem_sink {
 public:
  void found(const era::problem& p) override {
    if (is_error(p)) {
      add(era::with_remedy(sentence_of(p), p));
    }
  }

  void add(const std::string& sentence) { sentences_.push_back(sentence); }

  void say(const std::string& file) const {
    for (const std::string& sentence : sentences_) {
      std::string line = file;
      base::say(line.append(": ").append(sentence));
    }
  }

 private:
  std::vector<std::string> sentences_;
};

void dump_sound(pd::file_device& device, const era::contents_options& options,
                era::contents_sink& into, base::progress& progress) {
  era::metadata_file metadata(device);
  era::strict_sink strict(device.name());
  era::send_contents(metadata, options, strict, into, progress);
}

era::repair_summary repaired(pd::file_device& device, const era::repair_options& options,
                             era::problem_sink& problems, era::contents_sink& into,
                             base::progress& progress) {
  try {
    return era::repair(device, options, problems, into, progress);
  } catch (const era::geometry_unknown& unknown) {
    throw base::data_error(unknown.what() +
                           std::string("\nera_repair takes what is missing as options."));
  }
}

repair_log dump_repaired(pd::file_device& device, const era::repair_options& options,
                         era::contents_sink& into, base::progress& progress) {
  repair_log log;
  era::bounded_sink problems(log);
  const era::repair_summary done = repaired(device, options, problems, into, progress);
  if (problems.not_shown() > 0) {
    log.add(base::counted(problems.not_shown(), "more problem") + " like these");
  }
  if (done.basis != era::repair_basis::superblock || done.contents.assumed > 0) {
    for (const std::string& sentence : era::sentences_of(done)) {
      log.add(sentence);
    }
  }
  return log;
}

void pack(cli::metadata_source& source, const std::string& file, base::progress& progress) {
  base::output out(file, source.name());
  era::pack_metadata(source.device(), source.state(), out, progress);
  source.finish();
  out.commit();
}

cli::exit_status dump(const cli::arguments& given) {
  cli::require_source(given);
  given.exclude("pack", {"logical", "repair", "compact", "output"});
  const bool logical = given.has("logical");
  cli::metadata_source source(given, command);
  base::progress_bar progress(cli::when_to_show_progress(given));
  if (given.has("pack")) {
    pack(source, given.value("pack"), progress);
    return cli::exit_status::success;
  }
  base::output out(given.value("output", "-"), source.name());
  era::xml_writer xml(out, given.has("compact"));
  repair_log log;
  if (given.has("repair")) {
    log = dump_repaired(source.device(), {source.state(), logical, {}, {}, {}}, xml, progress);
  } else {
    dump_sound(source.device(), {source.state(), logical, false}, xml, progress);
  }
  source.finish();  // the last of it may have waited for a reader
  out.commit();
  log.say(source.name());
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, dump);
}
