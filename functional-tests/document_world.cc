#include "document_world.h"

#include <algorithm>
#include <filesystem>
#include <regex>
#include <stdexcept>

#include "fixtures.h"

namespace documents {

namespace {

namespace fs = std::filesystem;

const std::string stand_ins = SOURCE_FOLDER "/functional-tests/stand-ins";

// Stands before the commands in the shell that runs them. Each may change the shell.
const std::string driver = R"sh(
cd "$ERA_WORLD/home"
at=0
for command in "$@"; do
  at=$((at + 1))
  eval "$command" </dev/null >"$ERA_WORLD/log/$at.out" 2>"$ERA_WORLD/log/$at.err"
  status=$?
  echo "$status" >"$ERA_WORLD/log/$at.status"
  [ "$status" -eq 0 ] || exit
done
)sh";

const std::string cache_xml =
    "<superblock uuid=\"\" block_size=\"64\" nr_cache_blocks=\"512\" policy=\"smq\" "
    "hint_width=\"4\">\n  <mappings>\n"
    "    <mapping cache_block=\"9\" origin_block=\"20\" dirty=\"false\"/>\n"
    "  </mappings>\n  <hints>\n  </hints>\n</superblock>\n";

// A file, or what a folder holds.
void copy_sparse(const std::string& from, const std::string& to) {
  if (harness::run({"cp", "-r", "--sparse=always", from, to}).status != 0) {
    throw std::runtime_error(to + ": cp fails");
  }
}

void replace_all(std::string& text, const std::string& old, const std::string& by) {
  for (auto at = text.find(old); at != std::string::npos; at = text.find(old, at + by.size())) {
    text.replace(at, old.size(), by);
  }
}

// A server may still have the copy open.
bool is_copy(const std::string& path, const std::string& origin) {
  if (path.ends_with(".qcow2")) {
    return harness::run({"qemu-img", "compare", "-U", "-f", "qcow2", "-F", "raw", path, origin})
               .status == 0;
  }
  return harness::read_file(path) == harness::read_file(origin);
}

}  // namespace

world::world(const world* like) {
  for (const std::string folder : {"bin", "home", "log", "dm", "dev/vg", "dev/mapper", "backup",
                                   "run", "srv", "mnt", "host"}) {
    fs::create_directories(folder_ / folder);
  }
  if (like == nullptr) {
    make_devices();
    return;
  }
  copy_sparse(like->folder_.path() + "/.", folder_.path());
  make_programs();
  make_tables();
}

world world::anew() {
  static const world first(nullptr);
  return world(&first);
}

void world::make_programs() const {
  for (const std::string program : {"dmsetup", "nbdkit", "ssh"}) {
    fs::create_symlink(stand_ins + "/" + program, folder_ / "bin/" + program);
  }
  for (const std::string program :
       {"benji", "blockdev", "e2fsck", "fsfreeze", "lvconvert", "lvcreate", "lvextend", "modprobe",
        "mount", "sudo", "systemctl", "umount", "update-initramfs"}) {
    fs::create_symlink(stand_ins + "/other", folder_ / "bin/" + program);
  }
  for (const auto& tool : harness::all_tools()) {
    fs::create_symlink(stand_ins + "/live-tool", folder_ / "bin/" + tool);
  }
}

void world::simulate(const std::string& script) const {
  harness::run_options there;
  there.folder = folder_ / "dev/vg";
  there.input = script;
  const auto got = fixtures::call("era_simulate", {}, there);
  if (got.status != 0) {
    throw std::runtime_error(got.err);
  }
}

void world::add_device(const std::string& name, const std::string& table) const {
  const auto folder = "dm/" + name;
  fs::create_directory(folder_ / folder);
  harness::write_file(folder_ / (folder + "/table"), table + "\n");
  harness::write_file(folder_ / (folder + "/state"), "unknown\n");
}

// Both era devices have the same life.
void world::make_devices() const {
  const auto vg = folder_ / "dev/vg/";
  for (const std::string name : {"era", "data"}) {
    const std::string origin = name == "era" ? "data" : "data_origin";
    simulate("device " + name + "_meta 8192\ndevice " + origin + " 131072\ncreate 0 131072 era " +
             name + "_meta " + origin +
             " 128\nwrite 0 2560\nmessage checkpoint\nwrite 12800 900\nwrite 131000 72\nremove\n");
    for (const std::string copy : {"home/copy", "home/copy.img", "backup/data.img"}) {
      copy_sparse(vg + origin, folder_ / copy);
    }
    std::string eras;
    for (int i = 0; i < 12; ++i) {
      eras += "message checkpoint\nwrite " + std::to_string(1280 * i) + " 16\n";
    }
    simulate("create 0 131072 era " + name + "_meta " + origin + " 128\n" + eras + "remove\n");
  }
  for (const std::string name : {"era_meta_new", "larger", "root"}) {
    harness::make_zeroed(vg + name, 4 << 20);
  }
  harness::make_zeroed(vg + "copy", 64 << 20);
  fixtures::dump(vg + "era_meta", {"--pack", folder_ / "home/era_meta.pack"});
  const auto xml = fixtures::dump(vg + "era_meta");
  for (const std::string name : {"era_meta.xml", "last_night.xml"}) {
    harness::write_file(folder_ / ("home/" + name), xml);
  }
  for (const std::string path : {"cache.xml", "dev/vg/cache_meta"}) {
    harness::write_file(folder_ / path, cache_xml);
  }
}

// What the device mapper knows of them.
void world::make_tables() const {
  const auto vg = folder_ / "dev/vg/";
  add_device("era", "0 131072 era " + vg + "era_meta " + vg + "data 128");
  add_device("data", "0 131072 era " + vg + "data_meta " + vg + "data_origin 128");
  add_device("cache", "0 131072 cache 253:1 253:3 253:4 64 1 writeback smq 0");
  fs::create_symlink(vg + "data", folder_ / "dev/mapper/era");
  fs::create_symlink(vg + "data_origin", folder_ / "dev/mapper/data");
}

void world::change() const {
  for (const std::string table : {"era_meta data", "data_meta data_origin"}) {
    simulate("create 0 131072 era " + table + " 128\nwrite 640 40\nwrite 70000 3000\n");
  }
  for (const auto& device : fs::directory_iterator(folder_ / "dm")) {
    fs::remove(device.path() / "journal");
  }
}

// A command with the paths of this world in the place of the system's.
std::string world::inside(const std::string& text) const {
  static const std::regex path(
      R"((^|[^A-Za-z0-9_./-])/(dev/(?:vg|mapper|ram0)|backup|run|srv|mnt)(?![A-Za-z0-9_-]))");
  return std::regex_replace(text, path, "$1" + folder_.path() + "/$2");
}

std::string world::outside(const std::string& text) const {
  auto shown = text;
  replace_all(shown, folder_.path() + "/home/", "");
  replace_all(shown, folder_.path(), "");
  return shown;
}

std::vector<harness::result> world::run(const std::vector<command>& commands) const {
  const auto tools = fs::path(harness::tool("era_check")).parent_path().string();
  std::vector<std::string> call = {"env",
                                   "ERA_WORLD=" + folder_.path(),
                                   "ERA_STAND_INS=" + stand_ins,
                                   "ERA_TOOLS=" + tools,
                                   "bash",
                                   "-c",
                                   "PATH=$ERA_WORLD/bin:$PATH\n" + driver,
                                   "bash"};
  for (const auto& one : commands) {
    call.push_back(inside(one.text));
  }
  fs::remove_all(folder_ / "log");
  fs::create_directory(folder_ / "log");
  const auto shell = harness::run(call);
  std::vector<harness::result> results;
  for (std::size_t at = 1; fs::exists(folder_ / ("log/" + std::to_string(at) + ".status")); ++at) {
    const auto log = folder_ / ("log/" + std::to_string(at));
    harness::result got;
    got.status = std::stoi(harness::read_file(log + ".status"));
    got.out = outside(harness::read_file(log + ".out"));
    got.err = outside(harness::read_file(log + ".err"));
    results.push_back(got);
  }
  if (results.empty()) {
    throw std::runtime_error("the shell ends: " + shell.err);
  }
  return results;
}

std::string world::wrong_copy(const std::vector<command>& commands) const {
  std::string all;
  for (const auto& one : commands) {
    all += one.text + "\n";
  }
  all = std::regex_replace(all, std::regex("bmaptool copy"), "bmaptool");  // not a file
  const bool of_data = std::regex_search(all, std::regex("--live data|/dev/mapper/data"));
  const auto origin = folder_ / (of_data ? "dev/vg/data_origin" : "dev/vg/data");
  for (const std::string name : {"copy", "copy.img", "/backup/data.img", "data.qcow2"}) {
    const std::regex word("(^|[\\s'])" + name + "($|[\\s'])");
    const auto path = folder_ / (name[0] == '/' ? name.substr(1) : "home/" + name);
    if (std::regex_search(all, word) && !is_copy(path, origin)) {
      return name;
    }
  }
  return "";
}

}  // namespace documents
