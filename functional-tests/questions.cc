#include "questions.h"

#include <regex>
#include <stdexcept>

namespace harness {
namespace {

std::vector<question> questions_of(const image& image, const truth& truth, bool of_snapshot,
                                   const std::string& path) {
  std::vector<std::string> dump = {tool("era_dump")};
  std::vector<std::string> invalidate = {tool("era_invalidate"), "--written-since", "1"};
  if (of_snapshot) {
    dump.emplace_back("--metadata-snapshot");
    invalidate.emplace_back("--metadata-snapshot");
  }
  auto logical = dump;
  logical.emplace_back("--logical");
  // The truth does not say which writesets are not digested yet, so the plain dump is the tool's.
  const auto plain = run_bounded(dump, path);
  if (plain.status != 0) {
    throw std::runtime_error("cannot dump the undamaged " + image.name + ": " + plain.err);
  }
  return {{dump, of_snapshot, plain.out},
          {logical, of_snapshot, truth.logical_xml(image.block_size)},
          {invalidate, of_snapshot, truth.invalidate_xml(1)}};
}

}  // namespace

std::string question::text() const {
  std::string joined;
  for (const auto& argument : arguments) {
    joined += argument + ' ';
  }
  return joined;
}

std::vector<question> questions(const image& image) {
  const temporary_folder folder;
  const auto path = folder / "metadata";
  image.unpack(path);
  auto all = questions_of(image, image.live, false, path);
  if (image.snapshot) {
    const auto more = questions_of(image, *image.snapshot, true, path);
    all.insert(all.end(), more.begin(), more.end());
  }
  return all;
}

result run_bounded(std::vector<std::string> arguments, const std::string& path) {
  arguments.push_back(path);
  run_options options;
  options.seconds = 20;
  options.memory_limit = std::uint64_t{1} << 30;
  return run(arguments, options);
}

bool is_right(const result& got, const std::string& answer) {
  return got.status == 0 && got.err.empty() && got.out == answer;
}

bool is_refusal(const result& got, const std::string& path) {
  return got.status == 1 && got.out.empty() && got.err.find(path) != std::string::npos;
}

bool has_number(const std::string& text, std::uint64_t number) {
  return std::regex_search(text, std::regex("\\b" + std::to_string(number) + "\\b"));
}

bool names_block(const std::string& text, std::uint64_t block) {
  return std::regex_search(text, std::regex("\\bblock " + std::to_string(block) + "\\b"));
}

}  // namespace harness
