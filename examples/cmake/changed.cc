// changed METADATA ERA: prints what was written in era ERA or later, in bytes.
#include <era/era.h>

#include <cstdint>
#include <iostream>
#include <memory>
#include <stdexcept>
#include <string>

namespace {

void check(int code, const era_error& error) {
  if (code != ERA_OK) {
    throw std::runtime_error(error.text);
  }
}

void print_changes(const char* path, std::uint32_t since) {
  era_error error;
  const auto close = [](era_metadata* opened) { era_close(opened, nullptr); };
  era_metadata* opened = nullptr;
  check(era_open(&opened, path, 0, &error), error);
  const std::unique_ptr<era_metadata, decltype(close)> metadata(opened, close);
  era_changes* found = nullptr;
  check(era_changes_since(&found, metadata.get(), since, 0, &error), error);
  const std::unique_ptr<era_changes, decltype(&era_free_changes)> changes(found, era_free_changes);
  for (era_range range; era_next_change(changes.get(), &range) == 1;) {
    std::cout << range.begin << " " << range.end - range.begin << "\n";
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::cerr << "usage: changed METADATA ERA\n";
    return 2;
  }
  try {
    print_changes(argv[1], static_cast<std::uint32_t>(std::stoul(argv[2])));
    return 0;
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << "\n";
    return 1;
  }
}
