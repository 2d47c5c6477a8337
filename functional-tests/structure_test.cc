// Holds the sources to the layers that CMakeLists.txt declares.
#include <algorithm>
#include <array>
#include <filesystem>
#include <optional>
#include <regex>
#include <sstream>
#include <string>
#include <vector>

#include "catch.h"
#include "harness.h"

namespace {

namespace fs = std::filesystem;

// From the lowest to the highest: each may include from itself and from those before it.
const std::array<std::string, 4> layers = {"base", "persistent-data", "era", "bin"};

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

// The C++ files of a layer.
std::vector<fs::path> files_of(const std::string& layer) {
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(source_folder() / layer)) {
    const auto extension = entry.path().extension();
    if (extension == ".h" || extension == ".cc") {
      files.push_back(entry.path().lexically_relative(source_folder()));
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::vector<fs::path> headers_of(const std::string& layer) {
  auto files = files_of(layer);
  std::erase_if(files, [](const fs::path& file) { return file.extension() != ".h"; });
  return files;
}

std::optional<std::size_t> layer_of(const fs::path& file) {
  const auto found = std::find(layers.begin(), layers.end(), file.begin()->string());
  if (found == layers.end()) {
    return std::nullopt;
  }
  return static_cast<std::size_t>(found - layers.begin());
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

// Whether the line includes something that its layer must not know.
bool points_up(const line& line) {
  static const std::regex include(R"re(^\s*#\s*include\s*(["<])([^">]+)[">].*)re");
  std::smatch match;
  if (!std::regex_match(line.text, match, include)) {
    return false;
  }
  const auto file = included_file(line.file, match[2]);
  if (!file) {
    return match[1] == "\"";
  }
  const auto layer = layer_of(*file);
  return !layer || *layer > layer_of(line.file).value();
}

}  // namespace

TEST_CASE("includes point down only, from bin to era to persistent-data to base") {
  for (const auto& layer : layers) {
    const auto files = files_of(layer);
    CHECK_FALSE(files.empty());
    for (const auto& file : files) {
      for (const auto& line : lines_of(file)) {
        INFO(place(line));
        CHECK_FALSE(points_up(line));
      }
    }
  }
}

TEST_CASE("no header has a using directive") {
  static const std::regex directive(R"(^\s*using\s+namespace\b.*)");
  for (const auto& layer : layers) {
    for (const auto& header : headers_of(layer)) {
      for (const auto& line : lines_of(header)) {
        INFO(place(line));
        CHECK_FALSE(std::regex_match(line.text, directive));
      }
    }
  }
}
