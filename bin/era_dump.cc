#include "base/message.h"
#include "base/number.h"
#include "bin/command_line.h"
#include "bin/open_metadata.h"
#include "era/read/contents_reader.h"
#include "era/xml/xml_writer.h"

namespace {

constexpr cli::command command{
    "era_dump",
    "[options] {device|file}",
    "Prints the metadata of an era device as XML.",
    {{0, "logical", nullptr, "print only the era in which each block was last written"},
     {'r', "repair", nullptr, "go on after damage; what is lost counts as written just now"},
     cli::metadata_snapshot_option("read the metadata snapshot; the device may be live"),
     {0, "compact", nullptr, "leave out unset bits and eras of 0"},
     cli::output_option}};

// Says what is lost, and lets the dump go on.
class repair_log final : public era::problem_sink {
 public:
  explicit repair_log(std::string file) : file_(std::move(file)) {}

  void found(const era::problem& p) override {
    if (!is_error(p)) {
      return;
    }
    base::say(file_ + ": " + sentence_of(p) + assumption(p));
  }

 private:
  static std::string assumption(const era::problem& p) {
    switch (p.code) {
      case era::problem_code::writeset_gap:
        return "; every block is taken as written then";
      case era::problem_code::era_above_current:
        return "; the current era is raised";
      case era::problem_code::writeset_era:
        return p.loses() ? "" : "; the current era is raised if this one is later";
      default:
        return p.loses() || p.at.in == era::structure::writeset_tree
                   ? "; taken as written in the current era"
                   : "";
    }
  }

  std::string file_;
};

cli::exit_status dump(const cli::arguments& given) {
  const std::string& file = given.device_or_file();
  const era::contents_options options{cli::state_to_read(given), given.has("logical"),
                                      given.has("repair")};
  pd::file_device device = cli::open_metadata(file, command.name, options.state);
  base::output out(given.value("output", "-"), file);
  era::metadata_file metadata(device);
  era::strict_sink strict(file);
  repair_log log(file);
  era::bounded_sink tolerant(log);
  era::xml_writer xml(out, given.has("compact"));
  base::progress_bar progress(true);
  era::send_contents(metadata, options,
                     given.has("repair") ? static_cast<era::problem_sink&>(tolerant) : strict, xml,
                     progress);
  out.commit();
  if (tolerant.not_shown() > 0) {
    base::say(file + ": " + base::counted(tolerant.not_shown(), "more problem") + " like these");
  }
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, dump);
}
