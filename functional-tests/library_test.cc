// The C library as it is installed: what it exports, and the programs of examples/ built against
// the installed copy alone.
#include <filesystem>
#include <sstream>

#include "catch.h"
#include "changed_device.h"
#include "fixtures.h"
#include "harness.h"

namespace {

using Catch::Contains;
using fixtures::call;
using words = std::vector<std::string>;

harness::result shell(const std::string& script, const words& arguments) {
  words command = {"bash", "-euc", script, "-"};
  command.insert(command.end(), arguments.begin(), arguments.end());
  return harness::run(command);
}

void require_success(const harness::result& got) {
  INFO(got.out << got.err);
  REQUIRE(got.status == 0);
}

// Why the library can't be tried here; empty if it can.
std::string why_not() {
  if (!std::filesystem::exists(BUILD_FOLDER "/library/libera-tools.so")) {
    return "it was not built (ERA_LIBRARY)";
  }
  return "";
}

bool can_be_tried() {
  const std::string reason = why_not();
  if (!reason.empty()) {
    WARN("skipped: " << reason);
  }
  return reason.empty();
}

// A copy of the library, installed into a folder of its own.
class installed_library {
 public:
  installed_library() {
    for (const std::string part : {"library", "development"}) {
      require_success(harness::run(
          {"cmake", "--install", BUILD_FOLDER, "--prefix", prefix(), "--component", part}));
    }
    const auto found = shell(R"__(dirname "$(find "$1" -name libera-tools.so)")__", {prefix()});
    require_success(found);
    libraries_ = found.out.substr(0, found.out.size() - 1);
  }

  std::string prefix() const { return folder_ / "usr"; }
  std::string libraries() const { return libraries_; }
  std::string operator/(const std::string& name) const { return folder_ / name; }
  std::string example(const std::string& name) const {
    return prefix() + "/share/doc/libera-tools-dev/examples/" + name;
  }

 private:
  harness::temporary_folder folder_;
  std::string libraries_;
};

// The list as the tool has it: offset and length in bytes, one range on a line.
std::string list_of(const std::string& metadata, const std::string& since) {
  const auto got = call("era_invalidate", {"--written-since", since, "--format", "ranges", "--unit",
                                           "bytes", metadata});
  REQUIRE(got.status == 0);
  std::istringstream ranges(got.out);
  std::string list;
  for (std::uint64_t begin = 0, end = 0; ranges >> begin >> end;) {
    list += std::to_string(begin) + " " + std::to_string(end - begin) + "\n";
  }
  return list;
}

// Runs an example on several metadata, and holds what it prints against the tool's list.
void check_example(const installed_library& library, const words& command) {
  const harness::temporary_folder folder;
  for (const std::string name : {"twelve_eras", "power_cut", "one_era"}) {
    for (const std::string since : {"0", "1", "2"}) {
      INFO(name << " " << since);
      harness::image_named(name).unpack(folder / "metadata");
      words arguments = {"env", "LD_LIBRARY_PATH=" + library.libraries()};
      arguments.insert(arguments.end(), command.begin(), command.end());
      arguments.insert(arguments.end(), {folder / "metadata", since});
      const auto got = harness::run(arguments);
      CHECK(got.status == 0);
      CHECK(got.err == "");
      CHECK((got.out == list_of(folder / "metadata", since)));
    }
  }
  words arguments = {"env", "LD_LIBRARY_PATH=" + library.libraries()};
  arguments.insert(arguments.end(), command.begin(), command.end());
  arguments.insert(arguments.end(), {folder / "none", "1"});
  const auto got = harness::run(arguments);
  CHECK(got.status == 1);
  CHECK(got.out == "");
  CHECK_THAT(got.err, Contains(folder / "none: No such file or directory"));
}

}  // namespace

TEST_CASE("the library exports its own names alone, each with a version", "[library]") {
  if (!can_be_tried()) {
    return;
  }
  const installed_library library;
  const auto symbols =
      harness::run({"nm", "-D", "--defined-only", library.libraries() + "/libera-tools.so.1"});
  require_success(symbols);
  const std::string header = harness::read_file(library.prefix() + "/include/era/era.h");
  std::istringstream lines(symbols.out);
  int functions = 0;
  for (std::string address, kind, name; lines >> address >> kind >> name;) {
    INFO(name);
    if (kind == "A") {
      CHECK(name == "ERA_TOOLS_1");
      continue;
    }
    CHECK_THAT(name, Catch::StartsWith("era_") && Catch::EndsWith("@@ERA_TOOLS_1"));
    CHECK_THAT(header, Contains(name.substr(0, name.find('@')) + "("));
    ++functions;
  }
  CHECK(functions == 10);
}

TEST_CASE("the example in C is built against the installed library, shared and static",
          "[library]") {
  if (!can_be_tried() || !fixtures::has_programs({"pkg-config", "cc"})) {
    return;
  }
  const installed_library library;
  for (const std::string how : {"", "--static"}) {
    INFO(how);
    // With the shared library out of the way, the linker takes the static one.
    const auto built = shell(
        R"(export PKG_CONFIG_PATH=$1/pkgconfig
flags=$(pkg-config $4 --cflags --libs era-tools)
if [ -n "$4" ]; then flags=${flags//-lera-tools/$1/libera-tools.a}; fi
cc -std=c99 -Wall -Wextra -Wpedantic -Werror "$2" $flags -o "$3")",
        {library.libraries(), library.example("changed.c"), library / "changed", how});
    require_success(built);
    check_example(library, {library / "changed"});
    const bool needs_library =
        harness::run({"readelf", "-d", library / "changed"}).out.find("libera-tools.so.1") !=
        std::string::npos;
    CHECK(needs_library == how.empty());
  }
}

TEST_CASE("the example in C++ finds the installed library by CMake", "[library]") {
  if (!can_be_tried()) {
    return;
  }
  const installed_library library;
  require_success(
      harness::run({"cmake", "-S", library.example("cmake"), "-B", library / "build",
                    "-DCMAKE_PREFIX_PATH=" + library.prefix(), "-DCMAKE_CXX_COMPILER=" COMPILER}));
  require_success(harness::run({"cmake", "--build", library / "build"}));
  check_example(library, {library / "build/changed"});
}

TEST_CASE("the example in Python loads the installed library", "[library]") {
  if (!can_be_tried() || !fixtures::has_programs({"python3"})) {
    return;
  }
  const installed_library library;
  check_example(library, {"python3", library.example("changed.py")});
}

TEST_CASE("the library reports that there is no memory, and goes on", "[library]") {
  if (!can_be_tried() || !fixtures::has_programs({"python3"})) {
    return;
  }
  const installed_library library;
  const harness::temporary_folder folder;
  harness::image_named("two_million").unpack(folder / "metadata");
  // With ever more memory: each time it is done, or said that memory is short.
  const auto got = shell(
      R"(cat >"$1/limited.py" <<'END'
import resource, sys
sys.path.insert(0, sys.argv[1])
import changed
lacks = 0
changed.ctypes.CDLL("libera-tools.so.1")
with open("/proc/self/statm") as statm:
    used = int(statm.read().split()[0]) * 4096
for more in range(0, 64 << 20, 1 << 20):
    resource.setrlimit(resource.RLIMIT_AS, (used + more, resource.RLIM_INFINITY))
    try:
        found = sum(length for _, length in changed.changes(sys.argv[2], 0))
    except (OSError, MemoryError) as failure:
        lacks += 1
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
print(lacks > 0, found)
END
LD_LIBRARY_PATH=$2 python3 "$1/limited.py" "$3" "$4")",
      {folder.path(), library.libraries(), library.example(""), folder / "metadata"});
  require_success(got);
  CHECK_THAT(got.out, Catch::StartsWith("True "));
}
