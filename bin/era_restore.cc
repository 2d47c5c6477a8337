#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <optional>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/message.h"
#include "bin/command_line.h"
#include "era/build/all_written.h"
#include "era/build/metadata_builder.h"
#include "era/xml/xml_reader.h"
#include "persistent-data/file_device.h"

namespace {

constexpr cli::command command{
    "era_restore",
    "[options] -i FILE -o {device|file}",
    "Writes the metadata of an era device from XML.",
    {{'i', "input", "FILE", "read the XML from FILE; - is standard input"},
     {'o', "output", "FILE", "write the metadata to FILE, a device or a file that exists"},
     {0, "force", nullptr, "write over what is not era metadata"},
     {0, "all-written", nullptr, "take every block as written, in a new era"},
     {0, "current-era", "N", "the new current era; else 1000000 later"},
     cli::quiet_option},
    false};

// Standard input keeps its descriptor: it is not ours to close.
struct xml_input {
  std::string name;
  base::file_handle file;
  int fd() const { return file.is_open() ? file.fd() : STDIN_FILENO; }
};

xml_input open_xml(const std::string& path) {
  if (path == "-") {
    return {"standard input", base::file_handle()};
  }
  xml_input input{path, base::file_handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC))};
  while (!input.file.is_open() && errno == EINTR) {  // a fifo may be waited for
    input.file = base::file_handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  }
  if (!input.file.is_open()) {
    throw base::io_error(base::system_message(path, errno));
  }
  struct stat info {};
  if (::fstat(input.fd(), &info) == 0 && S_ISDIR(info.st_mode)) {
    throw base::io_error(path + ": Is a directory, not an XML file");
  }
  return input;
}

// Something else is only written over if that is wanted.
void refuse_foreign(pd::file_device& device) {
  const std::string head = device.first_bytes();
  if (head.size() < pd::block_size) {
    return;  // too small, which is said where the size that is needed is known
  }
  const std::string foreign =
      era::foreign_content(reinterpret_cast<const std::byte*>(head.data()), device.content());
  if (!foreign.empty()) {
    throw base::data_error(device.name() + ": this looks like " + foreign +
                           ", not era metadata; nothing was written\n"
                           "Give the metadata device, or write over it with --force.");
  }
}

pd::file_device open_output(const cli::arguments& given, const xml_input& input) {
  const std::string path = given.value("output");
  pd::file_device device = pd::file_device::open_for_writing(
      path, "The output must exist and be large enough; truncate -s makes a file.");
  if (device.is_same_file(input.fd())) {
    throw base::io_error(path + ": is the input; give another file for the output");
  }
  if (!given.has("force")) {
    refuse_foreign(device);
  }
  return device;
}

std::optional<std::uint32_t> new_era(const cli::arguments& given) {
  if (!given.has("current-era")) {
    return std::nullopt;
  }
  if (!given.has("all-written")) {
    throw base::usage_error("--current-era goes with --all-written.");
  }
  return static_cast<std::uint32_t>(given.number("current-era", UINT32_MAX));
}

cli::exit_status restore(const cli::arguments& given) {
  if (!given.has("input")) {
    throw base::usage_error("No input file provided.");
  }
  if (!given.has("output")) {
    throw base::usage_error("No output file provided.");
  }
  const std::optional<std::uint32_t> era_to_be = new_era(given);
  const xml_input input = open_xml(given.value("input"));
  pd::file_device device = open_output(given, input);
  era::metadata_builder building(device);
  era::all_written all_written(building, era_to_be);
  era::contents_sink& sink =
      given.has("all-written") ? static_cast<era::contents_sink&>(all_written) : building;
  era::read_xml(input.fd(), input.name, sink, [&](const std::string& remark) {
    if (!given.has("quiet")) {
      base::say(remark);
    }
  });
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, restore);
}
