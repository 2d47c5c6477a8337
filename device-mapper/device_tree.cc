#include "device-mapper/device_tree.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/in_use.h"
#include "base/number.h"

namespace dm {
namespace {

// ---- reading /sys and /proc ----

// Devices and files come and go while they are looked at.
bool is_absence(int error) {
  return error == ENOENT || error == ENOTDIR || error == ENODEV || error == ENXIO;
}

// For the error of the system that has just come: nothing more if the file is not there.
void require_absence(const std::string& path) {
  if (!is_absence(errno)) {
    throw base::io_error(base::system_message(path, errno));
  }
}

[[noreturn]] void not_understood(const std::string& path, const std::string& text) {
  throw base::io_error(path + ": is not understood: " + text);
}

std::optional<std::string> text_of(const std::string& path) {
  const base::file_handle file(
      base::retry([&] { return ::open(path.c_str(), O_RDONLY | O_CLOEXEC); }));
  if (!file.is_open()) {
    require_absence(path);
    return std::nullopt;
  }
  constexpr std::size_t step = 65536;
  std::string text;
  for (std::size_t got = step; got == step;) {
    const std::size_t before = text.size();
    text.resize(before + step);
    got = base::read_up_to(file.fd(), text.data() + before, step, path);
    text.resize(before + got);
  }
  return text;
}

std::string require_text(const std::string& path) {
  if (auto text = text_of(path)) {
    return *std::move(text);
  }
  throw base::io_error(base::system_message(path, ENOENT));
}

// The parts between two separators, the empty ones too. The last one need not be ended.
std::vector<std::string> split(const std::string& text, char separator) {
  std::vector<std::string> parts;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(separator, at), text.size());
    parts.push_back(text.substr(at, end - at));
    at = end + 1;
  }
  return parts;
}

// The names in a folder; none if it is not there.
std::vector<std::string> names_in(const std::string& path) {
  std::vector<std::string> found;
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(::opendir(path.c_str()), ::closedir);
  if (folder == nullptr) {
    require_absence(path);
    return found;
  }
  errno = 0;
  while (const dirent* const entry = ::readdir(folder.get())) {
    const std::string name = entry->d_name;
    if (name != "." && name != "..") {
      found.push_back(name);
    }
    errno = 0;
  }
  if (errno != 0) {
    throw base::io_error(base::system_message(path, errno));
  }
  return found;
}

bool is_there(const std::string& path) {
  if (::faccessat(AT_FDCWD, path.c_str(), F_OK, AT_EACCESS) == 0) {
    return true;
  }
  require_absence(path);
  return false;
}

std::optional<dev_t> parse_device(const std::string& text, int base) {
  unsigned high = 0;
  unsigned low = 0;
  const char* const end = text.data() + text.size();
  const auto first = std::from_chars(text.data(), end, high, base);
  if (first.ec != std::errc() || first.ptr == end || *first.ptr != ':') {
    return std::nullopt;
  }
  const auto second = std::from_chars(first.ptr + 1, end, low, base);
  if (second.ec != std::errc() || second.ptr != end) {
    return std::nullopt;
  }
  return ::makedev(high, low);
}

constexpr int decimal = 10;
constexpr int hexadecimal = 16;  // in a table of mappings: "fd:00"

// The number in a file `dev`; none if that is not there.
std::optional<dev_t> device_in(const std::string& path) {
  const auto text = text_of(path);
  if (!text) {
    return std::nullopt;
  }
  const std::string line = base::first_line(*text);
  const auto device = parse_device(line, decimal);
  if (!device) {
    not_understood(path, line);
  }
  return device;
}

// The devices that the folders in a folder are of.
std::set<dev_t> devices_in(const std::string& folder) {
  std::set<dev_t> found;
  for (const std::string& name : names_in(folder)) {
    std::string path = folder;
    path.append("/").append(name).append("/dev");
    if (const auto device = device_in(path)) {
      found.insert(*device);
    }
  }
  return found;
}

// The kernel writes blanks, line ends and backslashes of paths as \ooo.
std::string unescaped(const std::string& text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto is_octal = [&](std::size_t at) {
      return at < text.size() && text[at] >= '0' && text[at] <= '7';
    };
    if (text[i] == '\\' && is_octal(i + 1) && is_octal(i + 2) && is_octal(i + 3)) {
      plain += static_cast<char>((text[i + 1] - '0') * 64 + (text[i + 2] - '0') * 8 +
                                 (text[i + 3] - '0'));
      i += 3;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

// ---- files ----

struct file_facts {
  mode_t mode = 0;
  dev_t file_system = 0;
  dev_t node = 0;           // of a block device's node
  std::uint64_t mount = 0;  // its number in the table of mounts; 0: not known
};

// What a path leads to; none if there is nothing.
std::optional<file_facts> look_at(const std::string& path) {
  struct statx facts {};
  if (::statx(AT_FDCWD, path.c_str(), AT_STATX_DONT_SYNC, STATX_BASIC_STATS | STATX_MNT_ID,
              &facts) != 0) {
    require_absence(path);
    return std::nullopt;
  }
  return file_facts{facts.stx_mode, ::makedev(facts.stx_dev_major, facts.stx_dev_minor),
                    ::makedev(facts.stx_rdev_major, facts.stx_rdev_minor),
                    (facts.stx_mask & STATX_MNT_ID) != 0 ? facts.stx_mnt_id : 0};
}

file_facts require_facts(const std::string& path, const std::string& whose) {
  const auto facts = look_at(path);
  if (!facts || !path.starts_with('/')) {
    throw base::io_error(whose + " lies on " + path +
                         ", which is not to be seen from here\nSo it is not known on which devices "
                         "it lies. Where it is to be seen, start again.");
  }
  return *facts;
}

// ---- mounts ----

struct mount {
  std::uint64_t number = 0;
  dev_t device = 0;
  std::string place;
  std::string type;
  std::string source;
  std::string options;
};

// "42 26 0:38 / /mnt rw,relatime shared:1 - btrfs /dev/sda rw,subvol=/"; the source may be empty.
mount parse_mount(const std::string& path, const std::string& line) {
  constexpr std::size_t fixed = 6;
  const std::vector<std::string> words = split(line, ' ');
  const std::size_t dash = static_cast<std::size_t>(
      std::find(words.begin() + static_cast<std::ptrdiff_t>(std::min(fixed, words.size())),
                words.end(), "-") -
      words.begin());
  const auto number = base::parse_number(words.empty() ? "" : words[0], UINT64_MAX);
  const auto device = words.size() > 2 ? parse_device(words[2], decimal) : std::nullopt;
  if (!number || !device || dash + 3 >= words.size()) {
    not_understood(path, line);
  }
  return {*number,        *device, unescaped(words[4]), words[dash + 1], unescaped(words[dash + 2]),
          words[dash + 3]};
}

std::vector<mount> mounts_in(const std::string& root) {
  const std::string path = root + "/proc/self/mountinfo";
  std::vector<mount> found;
  for (const std::string& line : split(require_text(path), '\n')) {
    found.push_back(parse_mount(path, line));
  }
  return found;
}

// The folders of "lowerdir=A:B", where a backslash makes a colon a part of a name.
std::vector<std::string> folders_in(const std::string& value) {
  std::vector<std::string> found(1);
  for (std::size_t i = 0; i < value.size(); ++i) {
    if (value[i] == ':') {
      found.emplace_back();
    } else {
      i += value[i] == '\\' && i + 1 < value.size() ? 1 : 0;
      found.back() += value[i];
    }
  }
  found.erase(std::remove(found.begin(), found.end(), ""), found.end());
  return found;
}

// The folders that an overlay is made of, by the options of its mount. Commas and blanks in names
// are escaped there, colons are not.
std::vector<std::string> layers_in(const std::string& options) {
  std::vector<std::string> found;
  for (const std::string& option : split(options, ',')) {
    const std::size_t equal = std::min(option.find('='), option.size());
    const std::string name = option.substr(0, equal);
    const std::string value = unescaped(option.substr(std::min(equal + 1, option.size())));
    if (name == "lowerdir") {
      const std::vector<std::string> layers = folders_in(value);
      found.insert(found.end(), layers.begin(), layers.end());
    } else if (name == "upperdir" || name == "workdir" || name == "lowerdir+" ||
               name == "datadir+") {
      found.push_back(value);
    }
  }
  return found;
}

// ---- going down ----

std::string folder_of(const std::string& root, dev_t device) {
  std::string folder = root + "/sys/dev/block/" + base::number_text(device);
  if (!is_there(folder)) {
    throw base::io_error(folder + ": there is no such device");
  }
  return folder;
}

// Collects devices. Each is looked at once, and so is each file system, so that a circle ends.
class descent {
 public:
  explicit descent(const std::string& root) : root_(root) {}

  const std::set<dev_t>& devices() const { return devices_; }

  void add_device(dev_t device);
  void add_file(const file_facts& file);
  void add_file_system(dev_t device, std::uint64_t number_of_mount);

 private:
  void add_mount(const mount& one);
  void add_btrfs_on(dev_t device);

  const std::string& root_;
  std::set<dev_t> devices_;
  std::set<dev_t> file_systems_;  // that have a number of their own
};

void descent::add_device(dev_t device) {
  if (!devices_.insert(device).second) {
    return;
  }
  const std::string folder = folder_of(root_, device);
  for (const dev_t part : devices_in(folder + "/slaves")) {
    add_device(part);
  }
  if (is_there(folder + "/partition")) {
    // The link leads to the partition's folder within the disk's.
    const std::unique_ptr<char, void (*)(void*)> real(::realpath(folder.c_str(), nullptr),
                                                      std::free);
    const std::string above = real ? std::string(real.get()) + "/../dev" : folder;
    const auto disk = device_in(above);
    if (!disk) {
      throw base::io_error(above + ": the disk of a partition is not there");
    }
    add_device(*disk);
  }
  if (const std::string file = base::backing_file(folder); !file.empty()) {
    add_file(require_facts(file, "the loop device " + base::number_text(device)));
  }
}

void descent::add_file(const file_facts& file) {
  if (S_ISBLK(file.mode)) {
    add_device(file.node);
  } else if (S_ISREG(file.mode) || S_ISDIR(file.mode)) {
    add_file_system(file.file_system, file.mount);
  }
}

// Some file systems have numbers of their own instead of a device's: then the table of mounts says
// what they are made of. Files of a btrfs have other numbers than it has in that table: those of
// its subvolumes.
void descent::add_file_system(dev_t device, std::uint64_t number_of_mount) {
  if (major(device) != 0) {
    add_device(device);
    return;
  }
  if (!file_systems_.insert(device).second) {
    return;
  }
  for (const mount& one : mounts_in(root_)) {
    if (one.device == device || (number_of_mount != 0 && one.number == number_of_mount)) {
      add_mount(one);
    }
  }
}

void descent::add_mount(const mount& one) {
  const std::string name = "the file system at " + one.place;
  if (one.type == "btrfs") {
    const file_facts source = require_facts(one.source, name);
    add_file(source);
    add_btrfs_on(source.node);
  } else if (one.type == "bcachefs") {
    for (const std::string& source : split(one.source, ':')) {
      add_file(require_facts(source, name));
    }
  } else if (one.type == "overlay") {
    for (const std::string& layer : layers_in(one.options)) {
      add_file(require_facts(layer, name));
    }
  } else if (const auto source = look_at(one.source); source && one.source.starts_with('/')) {
    add_file(*source);
  }
}

// A btrfs may have several devices, of which the table of mounts names one.
void descent::add_btrfs_on(dev_t device) {
  const std::string all = root_ + "/sys/fs/btrfs";
  for (const std::string& name : names_in(all)) {
    std::string folder = all;
    folder.append("/").append(name).append("/devices");
    const std::set<dev_t> parts = devices_in(folder);
    if (parts.contains(device)) {
      std::for_each(parts.begin(), parts.end(), [&](dev_t part) { add_device(part); });
    }
  }
}

bool lies_on(const std::string& root, const file_facts& file, dev_t device) {
  descent down(root);
  down.add_file(file);
  return down.devices().contains(device);
}

// ---- what this process and the system use ----

// "7f0-7f1 r--p 00000000 fd:07 9     /usr/lib/libc.so": the device and, if it has one, the path.
struct mapping {
  dev_t file_system = 0;
  std::string path;
};

mapping parse_mapping(const std::string& path, const std::string& line) {
  constexpr std::size_t number_at = 3;
  const std::vector<std::string> words = split(line, ' ');
  const auto device =
      words.size() > number_at ? parse_device(words[number_at], hexadecimal) : std::nullopt;
  if (!device) {
    not_understood(path, line);
  }
  const std::size_t name = line.find('/');
  return {*device, name == std::string::npos ? "" : line.substr(name)};
}

// A mapped file may have lost its name, but not its device.
std::vector<std::string> mapped_files_on(const std::string& root, dev_t device) {
  const std::string table = root + "/proc/self/maps";
  std::map<std::string, dev_t> files;
  for (const std::string& line : split(require_text(table), '\n')) {
    const mapping one = parse_mapping(table, line);
    if (!one.path.empty()) {
      files[one.path] = one.file_system;
    }
  }
  std::vector<std::string> found;
  for (const auto& [path, file_system] : files) {
    descent down(root);
    down.add_file_system(file_system, 0);
    if (const auto file = look_at(path)) {
      down.add_file(*file);
    }
    if (down.devices().contains(device)) {
      found.push_back(path);
    }
  }
  return found;
}

std::string target_of(const std::string& link) {
  std::string target(4096, '\0');
  const ssize_t length = ::readlink(link.c_str(), target.data(), target.size());
  target.resize(static_cast<std::size_t>(std::max<ssize_t>(length, 0)));
  return target;
}

std::vector<std::string> open_files_on(const std::string& root, dev_t device) {
  std::vector<std::string> found;
  const std::string folder = root + "/proc/self/fd";
  if (!is_there(folder)) {
    throw base::io_error(base::system_message(folder, ENOENT));
  }
  for (const std::string& number : names_in(folder)) {
    std::string path = folder;
    path.append("/").append(number);
    const auto file = look_at(path);
    if (file && !S_ISBLK(file->mode) && lies_on(root, *file, device)) {
      const std::string what = number == "1"   ? "standard output, "
                               : number == "2" ? "standard error, "
                                               : "the open file ";
      found.push_back(what + target_of(path));
    }
  }
  return found;
}

}  // namespace

std::set<dev_t> device_tree::beneath_device(dev_t device) const {
  descent down(root_);
  down.add_device(device);
  return down.devices();
}

std::set<dev_t> device_tree::beneath_file(const std::string& path) const {
  const auto file = look_at(path);
  if (!file) {
    throw base::io_error(base::system_message(path, ENOENT));
  }
  descent down(root_);
  down.add_file(*file);
  return down.devices();
}

std::set<dev_t> device_tree::holders_of(dev_t device) const {
  const std::string folder = folder_of(root_, device);
  std::set<dev_t> found = devices_in(folder + "/holders");
  for (const std::string& name : names_in(folder)) {
    std::string part = folder;
    part.append("/").append(name);
    if (is_there(part + "/partition")) {
      found.merge(devices_in(part + "/holders"));
    }
  }
  return found;
}

std::vector<std::string> device_tree::mounts_of(dev_t device) const {
  std::vector<std::string> found;
  for (const mount& one : mounts_in(root_)) {
    const auto source = one.source.starts_with('/') ? look_at(one.source) : std::nullopt;
    const bool is_source = source && S_ISBLK(source->mode) && source->node == device;
    if (one.device == device || is_source) {
      found.push_back(one.place);
    }
  }
  return found;
}

std::vector<std::string> device_tree::swaps_on(dev_t device) const {
  std::vector<std::string> found;
  // A kernel without swap has no such file. The first line has the headings.
  const std::vector<std::string> lines = split(text_of(root_ + "/proc/swaps").value_or(""), '\n');
  for (std::size_t i = 1; i < lines.size(); ++i) {
    const std::string path = unescaped(lines[i].substr(0, lines[i].find_first_of(" \t")));
    if (lies_on(root_, require_facts(path, "a swap area"), device)) {
      found.push_back(path);
    }
  }
  return found;
}

std::vector<std::string> device_tree::needs_of_process(dev_t device) const {
  std::vector<std::string> found = mapped_files_on(root_, device);
  const std::vector<std::string> open = open_files_on(root_, device);
  found.insert(found.end(), open.begin(), open.end());
  for (const std::string& swap : swaps_on(device)) {
    found.push_back("the swap area " + swap);
  }
  return found;
}

void require_sole_user(const device_tree& tree, const era_device& device) {
  const dev_t origin = base::stat_path(device.origin).st_rdev;
  const auto refuse = [&](const std::string& how) {
    throw base::data_error(device.name + ": its origin, " + device.origin + ", " + how +
                           "\nWhat is written past the era device is in no list. Nothing was "
                           "suspended.");
  };
  for (const dev_t holder : tree.holders_of(origin)) {
    if (holder != device.number) {
      refuse("is used by the device " + base::number_text(holder) + " as well");
    }
  }
  if (const auto mounts = tree.mounts_of(origin); !mounts.empty()) {
    refuse("is mounted itself, at " + mounts.front());
  }
  for (const std::string& swap : tree.swaps_on(origin)) {
    if (base::stat_path(swap).st_rdev == origin) {
      refuse("is a swap area itself");
    }
  }
}

}  // namespace dm
