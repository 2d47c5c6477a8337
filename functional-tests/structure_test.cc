// Holds the sources to the structure of the project: what each folder may include, which words it
// must not know, and that each header stands by itself.
#include <algorithm>
#include <array>
#include <filesystem>
#include <future>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"
#include "harness.h"

namespace {

namespace fs = std::filesystem;

// From the lowest to the highest: each may include from itself and from those before it.
const std::array<std::string, 10> layers = {"include", "base", "device-mapper", "persistent-data",
                                            "cache",   "copy", "era",           "nbdkit",
                                            "library", "bin"};

// A folder of product files, those directly in it.
struct room {
  std::string folder;
  std::vector<std::string> may_include;  // besides itself
  std::vector<std::string> may_not_say;  // words of the folders above
};

const std::vector<std::string> tools = {
    "era_cache_invalidate", "era_check",    "era_copy",          "era_dump",
    "era_invalidate",       "era_message",  "era_metadata_size", "era_repair",
    "era_restore",          "era_simulate", "era_stat"};
const std::vector<std::string> simulation_words = {"simulator", "simulation", "script"};

const std::vector<room> rooms = {
    {"include/era", {}, {"--option"}},
    {"base", {}, {"--option", "superblock", "btree", "writeset", "era", "space map", "digest"}},
    {"device-mapper", {"base"}, {"--option", "superblock", "btree", "writeset", "digest"}},
    {"persistent-data", {"base"}, {"--option", "writeset", "era", "era array", "digest", "origin"}},
    {"cache", {"base", "persistent-data"}, {"--option", "writeset", "era", "digest"}},
    {"copy", {"base"}, {"--option", "superblock", "btree", "writeset", "era", "digest"}},
    {"era/format", {"base", "persistent-data"}, {"simulator", "simulation"}},
    {"era", {"base", "persistent-data", "era/format"}, {"simulator", "simulation"}},
    {"era/read", {"base", "persistent-data", "era", "era/format"}, simulation_words},
    {"era/xml", {"base", "era", "era/format"}, simulation_words},
    {"era/build", {"base", "persistent-data", "era", "era/format"}, simulation_words},
    {"era/check", {"base", "persistent-data", "era/format", "era/read"}, simulation_words},
    {"era/list", {"base", "era/format", "era/read"}, simulation_words},
    {"era/report", {"base", "persistent-data", "era", "era/format", "era/read"}, simulation_words},
    {"era/rollback", {"base", "cache", "era/format", "era/read", "era/list"}, simulation_words},
    {"era/repair",
     {"base", "persistent-data", "era", "era/format", "era/read", "era/build", "era/check"},
     simulation_words},
    {"era/target", {"base", "persistent-data", "era/format", "era/read"}, simulation_words},
    {"era/simulation",
     {"base", "persistent-data", "era/format", "era/read", "era/check", "era/target"},
     {}},
    {"nbdkit",
     {"base", "persistent-data", "era/format", "era/read", "era/list", "era/report", "era/target"},
     {"--option", "simulator", "simulation"}},
    {"library",
     {"include/era", "base", "device-mapper", "persistent-data", "era/format", "era/read",
      "era/list"},
     {"--option"}},
    {"bin",
     {"base", "device-mapper", "persistent-data", "cache", "copy", "era", "era/format", "era/read",
      "era/xml", "era/build", "era/check", "era/list", "era/rollback", "era/repair", "era/report",
      "era/target", "era/simulation"},
     {}},
};

struct line {
  fs::path file;  // relative to the source folder
  std::size_t number;
  std::string text;
};

std::string place(const line& line) {
  return line.file.string() + ':' + std::to_string(line.number) + ": " + line.text;
}

const fs::path& source_folder() {
  static const fs::path folder = SOURCE_FOLDER;
  return folder;
}

std::vector<line> lines_of(const fs::path& file) {
  std::vector<line> result;
  std::istringstream text(harness::read_file(source_folder() / file));
  for (std::string read; std::getline(text, read);) {
    result.push_back({file, result.size() + 1, read});
  }
  return result;
}

// The C++ files of all layers, relative to the source folder.
const std::vector<fs::path>& all_files() {
  static const std::vector<fs::path> files = [] {
    std::vector<fs::path> found;
    for (const auto& layer : layers) {
      for (const auto& entry : fs::recursive_directory_iterator(source_folder() / layer)) {
        const auto extension = entry.path().extension();
        if (extension == ".h" || extension == ".cc") {
          found.push_back(entry.path().lexically_relative(source_folder()));
        }
      }
    }
    std::sort(found.begin(), found.end());
    return found;
  }();
  return files;
}

bool is_header(const fs::path& file) {
  return file.extension() == ".h";
}

bool is_of_tests(const fs::path& file) {
  const std::string name = file.filename().string();
  return name.ends_with("_test.cc") || name.ends_with("_test_support.h");
}

std::vector<fs::path> product_files_of(const room& of) {
  std::vector<fs::path> files;
  for (const auto& file : all_files()) {
    if (file.parent_path() == of.folder && !is_of_tests(file)) {
      files.push_back(file);
    }
  }
  return files;
}

std::optional<std::size_t> layer_of(const fs::path& file) {
  const auto found = std::find(layers.begin(), layers.end(), file.begin()->string());
  if (found == layers.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - layers.begin());
}

struct inclusion {
  bool quoted;
  std::string name;
};

std::optional<inclusion> inclusion_in(const line& line) {
  static const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">]+)[">].*)re");
  std::smatch match;
  if (!std::regex_match(line.text, match, include)) {
    return std::nullopt;
  }
  return inclusion{match[1] == "\"", match[2]};
}

// The file of the project that an #include line names, seen from `includer`, relative to the
// source folder. None for a header of the system or a library.
std::optional<fs::path> included_file(const fs::path& includer, const std::string& name) {
  for (const auto& folder : {includer.parent_path(), fs::path()}) {
    const auto file = (folder / name).lexically_normal();
    if (fs::exists(source_folder() / file)) {
      return file;
    }
  }
  return std::nullopt;
}

// Whether the line includes something that `may_include` does not allow.
template <typename Allowed>
bool includes_other_than(const line& line, Allowed may_include) {
  const auto included = inclusion_in(line);
  if (!included) {
    return false;
  }
  const auto file = included_file(line.file, included->name);
  return file ? !may_include(*file) : included->quoted;
}

// Whether the text has the word, in one or more: `_` parts words, and "--option" is any option in
// a comment or a string.
std::regex pattern_of(const std::string& word) {
  const std::string text = word == "--option" ? R"((//|").*(^|[^A-Za-z0-9_)\]])--[a-z])"
                                              : "(^|[^A-Za-z])" + word + "s?($|[^A-Za-z])";
  return std::regex(text, std::regex::icase | std::regex::optimize);
}

// Nothing if the header can be compiled with nothing included before it, else what the compiler
// says.
std::string fault_alone(const fs::path& header) {
  const auto compiled =
      harness::run({COMPILER, "-std=c++20", "-fsyntax-only", "-I", source_folder().string(),
                    "-include", header.string(), "-x", "c++", "/dev/null"});
  return compiled.status == 0 ? "" : header.string() + ": " + compiled.out + compiled.err;
}

// A source file that includes its own header before anything else shows at every build that the
// header stands by itself.
bool is_first_in_its_source(const fs::path& header) {
  const auto source = fs::path(header).replace_extension(".cc");
  if (!fs::exists(source_folder() / source)) {
    return false;
  }
  for (const auto& line : lines_of(source)) {
    if (const auto included = inclusion_in(line)) {
      return included_file(source, included->name) == header;
    }
  }
  return false;
}

}  // namespace

TEST_CASE("includes point down only, from bin to era and on to base", "[sources]") {
  for (const auto& file : all_files()) {
    for (const auto& line : lines_of(file)) {
      INFO(place(line));
      CHECK_FALSE(includes_other_than(line, [&](const fs::path& included) {
        const auto layer = layer_of(included);
        return layer && *layer <= layer_of(file).value();
      }));
    }
  }
}

TEST_CASE("each folder includes only from those that it may include from", "[sources]") {
  for (const auto& room : rooms) {
    for (const auto& file : product_files_of(room)) {
      for (const auto& line : lines_of(file)) {
        INFO(place(line));
        CHECK_FALSE(includes_other_than(line, [&](const fs::path& included) {
          const std::string folder = included.parent_path().string();
          return folder == room.folder ||
                 std::count(room.may_include.begin(), room.may_include.end(), folder) > 0;
        }));
      }
    }
  }
}

TEST_CASE("the table of folders is complete", "[sources]") {
  std::set<std::string> listed;
  for (const auto& room : rooms) {
    listed.insert(room.folder);
  }
  std::set<std::string> present;
  for (const auto& file : all_files()) {
    present.insert(file.parent_path().string());
  }
  CHECK(present == listed);
}

TEST_CASE("the folders below era include each other in no circle", "[sources]") {
  // Each row may name only those above it, so that the table is an order.
  std::set<std::string> above;
  for (const auto& room : rooms) {
    for (const auto& folder : room.may_include) {
      INFO(room.folder << " may include " << folder);
      CHECK(above.contains(folder));
    }
    above.insert(room.folder);
  }
}

TEST_CASE("no folder names what only those above it know", "[sources]") {
  for (const auto& room : rooms) {
    std::vector<std::string> words = room.may_not_say;
    if (room.folder == "base" || room.folder == "persistent-data") {
      words.insert(words.end(), tools.begin(), tools.end());
    }
    for (const auto& word : words) {
      const std::regex pattern = pattern_of(word);
      for (const auto& file : product_files_of(room)) {
        for (const auto& line : lines_of(file)) {
          INFO(place(line));
          INFO("the word: " << word);
          CHECK_FALSE(std::regex_search(line.text, pattern));
        }
      }
    }
  }
}

TEST_CASE("every header of the product compiles with nothing included before it", "[sources]") {
  constexpr std::size_t at_once = 4;
  std::vector<fs::path> left;
  for (const auto& file : all_files()) {
    if (is_header(file) && !is_of_tests(file) && !is_first_in_its_source(file)) {
      left.push_back(file);
    }
  }
  CHECK_FALSE(left.empty());
  while (!left.empty()) {
    std::vector<std::future<std::string>> running;
    for (; !left.empty() && running.size() < at_once; left.pop_back()) {
      running.push_back(std::async(std::launch::async, fault_alone, left.back()));
    }
    for (auto& fault : running) {
      CHECK(fault.get() == "");
    }
  }
}

TEST_CASE("no header has a using directive", "[sources]") {
  static const std::regex directive(R"(^\s*using\s+namespace\b.*)");
  for (const auto& file : all_files()) {
    if (!is_header(file)) {
      continue;
    }
    for (const auto& line : lines_of(file)) {
      INFO(place(line));
      CHECK_FALSE(std::regex_match(line.text, directive));
    }
  }
}
