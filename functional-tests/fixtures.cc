#include "fixtures.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <system_error>

#include "catch.h"
#include "metadata_bytes.h"

namespace fixtures {
namespace {

std::uint64_t little_endian_at(const std::string& bytes, std::size_t offset, std::size_t size) {
  std::uint64_t value = 0;
  for (std::size_t i = size; i-- > 0;) {
    value = value << 8 | static_cast<unsigned char>(bytes.at(offset + i));
  }
  return value;
}

std::string quoted(std::uint64_t number) {
  return '"' + std::to_string(number) + '"';
}

std::string first_block(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  std::string block(block_bytes, '\0');
  file.read(block.data(), static_cast<std::streamsize>(block.size()));
  if (!file) {
    throw std::runtime_error("cannot read " + path);
  }
  return block;
}

struct peer_tools {
  std::string version;  // empty if the peer cannot be asked
  std::string why_not;
};

peer_tools find_peer() {
  std::string version;
  for (const auto& tool : harness::metadata_tools()) {
    const auto path = peer_folder() + '/' + tool;
    try {
      const auto said = harness::run({path, "-V"}).out;
      version = said.substr(0, said.find('\n'));
    } catch (const std::system_error& failure) {
      return {"", failure.what()};
    }
    if (version != "0.9.0" && version != "1.1.0") {
      return {"", path + " is " + version};
    }
  }
  return {version, ""};
}

const peer_tools& peer() {
  static const auto found = find_peer();
  return found;
}

bool peer_skipped = false;

void skip_peer(const std::string& reason) {
  peer_skipped = true;
  WARN("skipped: " << reason);
}

}  // namespace

std::uint32_t u32_at(const std::string& bytes, std::size_t offset) {
  return static_cast<std::uint32_t>(little_endian_at(bytes, offset, 4));
}

std::uint64_t u64_at(const std::string& bytes, std::size_t offset) {
  return little_endian_at(bytes, offset, 8);
}

std::vector<std::uint64_t> unpack_damaged(const harness::image& image,
                                          const std::vector<std::size_t>& fields,
                                          const std::string& path) {
  harness::metadata_bytes metadata(image);
  std::vector<std::uint64_t> blocks;
  for (const auto field : fields) {
    blocks.push_back(metadata.get64(0, field));
    metadata.damage(blocks.back(), 100, 1);
  }
  harness::write_file(path, metadata.bytes());
  return blocks;
}

std::string document::dump(bool compact) const {
  std::string text = "<superblock uuid=\"\" block_size=" + quoted(block_size) +
                     " nr_blocks=" + quoted(nr_blocks) + " current_era=" + quoted(current_era) +
                     ">\n";
  for (const auto& set : writesets) {
    text += "  <writeset era=" + quoted(set.era) + " nr_bits=" + quoted(set.nr_bits) + ">\n";
    for (std::uint32_t bit = 0; bit < set.nr_bits; ++bit) {
      const bool value = set.bits.count(bit) != 0;
      if (value || !compact) {
        text +=
            "    <bit block=" + quoted(bit) + " value=\"" + (value ? "true" : "false") + "\"/>\n";
      }
    }
    text += "  </writeset>\n";
  }
  text += "  <era_array>\n";
  for (std::uint32_t block = 0; block < nr_blocks; ++block) {
    const auto found = eras.find(block);
    const std::uint32_t era = found == eras.end() ? 0 : found->second;
    if (era != 0 || !compact) {
      text += "    <era block=" + quoted(block) + " era=" + quoted(era) + "/>\n";
    }
  }
  return text + "  </era_array>\n</superblock>\n";
}

const document& example() {
  static const document shown = {128,
                                 10,
                                 5,
                                 {{4, 10, {1, 2, 9}}, {5, 10, {2, 5, 6, 7}}},
                                 {{1, 3}, {2, 3}, {3, 1}, {5, 2}, {8, 3}}};
  return shown;
}

void restore(const std::string& xml, const std::string& path, std::uint64_t bytes) {
  harness::make_zeroed(path, bytes);
  harness::run_options from_us;
  from_us.input = xml;
  const auto restored = call("era_restore", {"-i", "-", "-o", path}, from_us);
  if (restored.status != 0) {
    throw std::runtime_error("era_restore refuses: " + restored.err);
  }
}

const std::string& large_unfinished_xml() {
  static const std::string xml = [] {
    std::string text =
        R"(<superblock uuid="" block_size="8" nr_blocks="8000000" current_era="3"><era_array>)";
    for (std::uint32_t block = 0; block < 8000000; block += 100) {
      text += "<era block=" + quoted(block) + " era=\"2\"/>\n";
    }
    return text;
  }();
  return xml;
}

void leave_interrupted_restore(const std::string& path) {
  harness::make_zeroed(path, large_device_bytes);
  harness::run_options from_us;
  from_us.input = large_unfinished_xml();
  const auto failed = call("era_restore", {"-i", "-", "-o", path}, from_us);
  if (failed.status != 1 || !holds_interrupted_restore(path)) {
    throw std::runtime_error("era_restore leaves no mark: " + failed.err);
  }
}

bool holds_interrupted_restore(const std::string& path) {
  const auto block = first_block(path);
  const auto end_of_line = block.find('\n');
  const auto printable = [](unsigned char c) { return std::isprint(c) != 0; };
  return end_of_line > 0 && end_of_line < 512 &&
         std::all_of(block.begin(), block.begin() + static_cast<std::ptrdiff_t>(end_of_line),
                     printable) &&
         block.find_first_not_of('\0', end_of_line + 1) == std::string::npos &&
         call("era_check", {path}).status == 1 && call("era_dump", {path}).status == 1;
}

std::string dump(const std::string& path, const std::vector<std::string>& options) {
  auto arguments = options;
  arguments.push_back(path);
  const auto dumped = call("era_dump", arguments);
  if (dumped.status != 0) {
    throw std::runtime_error("era_dump fails: " + dumped.err);
  }
  return dumped.out;
}

harness::result call(const std::string& tool, const std::vector<std::string>& arguments,
                     const harness::run_options& options) {
  std::vector<std::string> command = {harness::tool(tool)};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return harness::run(command, options);
}

// Of the device whose metadata the image "one_era" is.
constexpr std::uint64_t origin_bytes = 64 << 20;

bench::bench()
    : metadata(folder_ / "metadata"),
      xml(folder_ / "xml"),
      device(folder_ / "device"),
      cache(folder_ / "cache"),
      script(folder_ / "script"),
      origin(folder_ / "origin"),
      copy(folder_ / "copy"),
      socket(folder_ / "socket"),
      server_(socket, [](const std::string&) { return "0 131072 era 8 10/256 12 -\n"; }) {
  harness::image_named("one_era").unpack(metadata);
  harness::write_file(xml, example().xml());
  harness::make_zeroed(device, 1 << 20);
  harness::make_zeroed(origin, origin_bytes);
  harness::write_file(
      cache, R"(<superblock uuid="" block_size="64" nr_cache_blocks="8" policy="" hint_width="4">
<mappings>
<mapping cache_block="5" origin_block="0" dirty="false"/>
<mapping cache_block="6" origin_block="2" dirty="false"/>
</mappings>
</superblock>
)");
  harness::write_file(script, "! status\n");
}

const std::string& bench::good_input(const std::string& tool) const {
  static const std::map<std::string, const std::string bench::*> inputs = {
      {"era_message", &bench::socket},
      {"era_restore", &bench::xml},
      {"era_simulate", &bench::script}};
  const auto found = inputs.find(tool);
  return found == inputs.end() ? metadata : this->*found->second;
}

std::vector<std::string> bench::arguments(const std::string& tool, const std::string& input,
                                          const std::vector<std::string>& more) const {
  auto all = more;
  if (tool == "era_restore" || tool == "era_repair") {
    all.insert(all.end(), {"-i", input, "-o", device});
  } else if (tool == "era_cache_invalidate") {
    all.insert(all.end(),
               {"--cache-metadata", cache, "--allow-dirty", "--written-since", "0", input});
  } else if (tool == "era_copy") {
    all.insert(all.end(), {"--written-since", "0", input, origin, copy});
  } else if (tool == "era_invalidate") {
    all.insert(all.end(), {"--written-since", "1", input});
  } else if (tool == "era_message") {
    all.insert(all.end(), {"--control", input, "status"});
  } else if (tool == "era_metadata_size") {
    all.insert(all.end(), {"--used", input});
  } else {
    all.push_back(input);
  }
  return all;
}

harness::result bench::read(const std::string& tool, const std::string& input,
                            const std::vector<std::string>& more,
                            const harness::run_options& options) const {
  return call(tool, arguments(tool, input, more), options);
}

const std::string& peer_folder() {
  static const std::string folder = [] {
    const char* named = std::getenv("PEER_FOLDER");
    return std::string(named != nullptr ? named : "/usr/sbin");
  }();
  return folder;
}

const std::string& peer_version() {
  return peer().version;
}

bool peer_is_here() {
  if (peer().version.empty()) {
    skip_peer("no thin-provisioning-tools 0.9.0 or 1.1.0: " + peer().why_not);
  }
  return !peer().version.empty();
}

bool peer_is_0_9_0() {
  const bool is = peer().version == "0.9.0";
  if (peer_is_here() && !is) {
    skip_peer("for thin-provisioning-tools 0.9.0, not " + peer().version);
  }
  return is;
}

bool any_peer_skipped() {
  return peer_skipped;
}

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    names.insert(entry.path().filename().string());
  }
  return names;
}

bool nobody_can_run_tools() {
  harness::run_options options;
  options.as_nobody = true;
  std::string reason;
  try {
    const auto version = call("era_check", {"-V"}, options);
    if (version.status == 0) {
      return true;
    }
    reason = version.err;
  } catch (const std::system_error& failure) {
    reason = failure.what();
  }
  WARN("skipped: the user nobody cannot run the tools: " << reason);
  return false;
}

bool make_btrfs(const std::string& path) {
  std::string bytes(1 << 20, '\0');
  bytes.replace(0x10040, 8, "_BHRfS_M");
  bytes[0x10000 + 0x30 + 2] = 1;     // where it lies
  bytes[0x10000 + 0x90 + 1] = 0x10;  // bytes in a sector
  harness::write_file(path, bytes);
  if (harness::run({"/usr/sbin/blkid", "-p", path}).out.find("btrfs") != std::string::npos) {
    return true;
  }
  WARN("skipped: libblkid does not take so little for btrfs");
  return false;
}

loop_device::loop_device(const std::string& file) {
  std::string reason;
  try {
    const auto made = harness::run({"losetup", "--find", "--show", file});
    path_ = made.out.substr(0, made.out.find('\n'));
    reason = made.err;
  } catch (const std::system_error& failure) {
    reason = failure.what();
  }
  if (path_.empty()) {
    WARN("skipped: cannot make a loop device: " << reason);
  }
}

loop_device::~loop_device() {
  if (holder_ >= 0) {
    ::close(holder_);
  }
  if (available()) {
    harness::run({"losetup", "--detach", path_});
  }
}

void loop_device::occupy() {
  holder_ = ::open(path_.c_str(), O_RDONLY | O_EXCL | O_CLOEXEC);
  if (holder_ < 0) {
    throw std::system_error(errno, std::generic_category(), path_);
  }
}

}  // namespace fixtures
