#include "cache_images.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <random>
#include <set>
#include <stdexcept>
#include <system_error>

namespace caches {
namespace {

constexpr std::uint64_t origin_sectors = 131072;

const std::string& folder() {
  static const std::string path = IMAGE_FOLDER "/cache/";
  return path;
}

image image_from(const std::string& path) {
  const auto json = nlohmann::json::parse(harness::read_file(path));
  image image{json.at("name"),
              json.at("version"),
              json.at("clean_shutdown"),
              json.at("data_block_size"),
              json.at("nr_cache_blocks"),
              {}};
  for (const auto& one : json.at("mappings")) {
    image.mappings.push_back({one.at(0), one.at(1), one.at(2)});
  }
  return image;
}

std::uint64_t blocks_of_origin(std::uint64_t block_size) {
  return (origin_sectors + block_size - 1) / block_size;
}

std::string json_of(const list& list, const std::string& between,
                    std::uint64_t (*second)(const range&)) {
  const bool pairs = between == ",";
  std::uint64_t total = 0;
  std::string ranges;
  for (const auto& range : list.ranges) {
    total += range.end - range.begin;
    ranges += (ranges.empty() ? "\n    " : ",\n    ") + std::string(pairs ? "[" : "{\"begin\": ") +
              std::to_string(range.begin) + between + std::to_string(second(range)) +
              (pairs ? "]" : "}");
  }
  return "{\n  \"tool\": \"era_invalidate\",\n  \"block_size_bytes\": " +
         std::to_string(512 * list.block_size) +
         ",\n  \"nr_blocks\": " + std::to_string(list.nr_blocks) +
         ",\n  \"written_since\": 3,\n  \"total_blocks\": " + std::to_string(total) +
         ",\n  \"ranges\": [" + ranges + "\n  ]\n}\n";
}

}  // namespace

void image::unpack(const std::string& path) const {
  if (harness::run({"zstd", "-dqf", folder() + name + ".meta.zst", "-o", path}).status != 0) {
    throw std::runtime_error("zstd cannot unpack " + name);
  }
}

std::uint64_t image::nr_dirty() const {
  return static_cast<std::uint64_t>(std::count_if(mappings.begin(), mappings.end(),
                                                  [](const mapping& one) { return one.dirty; }));
}

const std::vector<image>& images() {
  static const std::vector<image> all = [] {
    std::set<std::string> paths;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
      if (entry.path().extension() == ".json") {
        paths.insert(entry.path().string());
      }
    }
    std::vector<image> found;
    std::transform(paths.begin(), paths.end(), std::back_inserter(found), image_from);
    return found;
  }();
  return all;
}

const image& image_named(std::string_view name) {
  for (const auto& image : images()) {
    if (image.name == name) {
      return image;
    }
  }
  throw std::out_of_range("no image " + std::string(name));
}

std::string list::xml() const {
  std::string text = "<blocks>\n";
  for (const auto& range : ranges) {
    const std::string begin = std::to_string(range.begin);
    text += range.end - range.begin == 1 ? "  <block block=\"" + begin + "\"/>\n"
                                         : "  <range begin=\"" + begin + "\" end = \"" +
                                               std::to_string(range.end) + "\"/>\n";
  }
  return text + "</blocks>\n";
}

std::string list::json() const {
  return json_of(*this, ", \"end\": ", [](const range& range) { return range.end; });
}

std::string list::compact_json() const {
  return json_of(*this, ",", [](const range& range) { return range.end - range.begin; });
}

list random_list(std::uint64_t block_size, unsigned seed) {
  std::mt19937 random(seed);
  list list{block_size, blocks_of_origin(block_size), {}};
  const std::uint64_t longest = 1 + random() % 40;
  std::uint64_t at = random() % (2 * longest);
  while (at < list.nr_blocks) {
    const std::uint64_t end = std::min(list.nr_blocks, at + 1 + random() % longest);
    list.ranges.push_back({at, end});
    at = end + 1 + random() % (3 * longest);
  }
  return list;
}

list whole_list(std::uint64_t block_size) {
  const std::uint64_t nr_blocks = blocks_of_origin(block_size);
  return {block_size, nr_blocks, {{0, nr_blocks}}};
}

std::string stale(const image& image, const list& list) {
  std::vector<bool> written(origin_sectors + list.block_size + image.block_size);
  for (const auto& range : list.ranges) {
    for (auto at = range.begin * list.block_size; at < range.end * list.block_size; ++at) {
      written.at(at) = true;
    }
  }
  std::set<std::uint64_t> blocks;
  for (const auto& one : image.mappings) {
    const auto first = one.origin_block * image.block_size;
    for (auto at = first; at < first + image.block_size; ++at) {
      if (written.at(at)) {
        blocks.insert(one.cache_block);
      }
    }
  }
  std::string text;
  for (auto at = blocks.begin(); at != blocks.end();) {
    const auto begin = *at;
    auto end = begin;
    for (; at != blocks.end() && *at == end; ++at) {
      ++end;
    }
    text += (text.empty() ? "" : " ") + std::to_string(begin) +
            (end - begin > 1 ? "-" + std::to_string(end) : "");
  }
  return text.empty() ? "" : text + "\n";
}

std::string cache_dump(const std::string& metadata) {
  try {
    const auto dumped = harness::run({"cache_dump", metadata});
    if (dumped.status == 0) {
      return dumped.out;
    }
    std::printf("skipped: cache_dump: %s\n", dumped.err.c_str());
  } catch (const std::system_error& failure) {
    std::printf("skipped: cache_dump: %s\n", failure.what());
  }
  return "";
}

}  // namespace caches
