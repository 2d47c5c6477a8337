#include "base/message.h"
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
    if (row_of(p.code).how_bad != era::severity::error) {
      return;
    }
    const bool assumed = p.loses() || p.at.in == era::structure::writeset_tree;
    base::say(file_ + ": " + sentence_of(p) +
              (assumed ? "; taken as written in the current era" : ""));
  }

 private:
  std::string file_;
};

cli::exit_status dump(const cli::arguments& given) {
  const std::string& file = given.device_or_file();
  const era::contents_options options{cli::state_to_read(given), given.has("logical")};
  pd::file_device device = cli::open_metadata(file, command.name, options.state);
  base::output out(given.value("output", "-"), file);
  era::metadata_file metadata(device);
  era::strict_sink strict(file);
  repair_log tolerant(file);
  era::xml_writer xml(out, given.has("compact"));
  base::progress_bar progress(true);
  era::send_contents(metadata, options,
                     given.has("repair") ? static_cast<era::problem_sink&>(tolerant) : strict, xml,
                     progress);
  out.commit();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, dump);
}
