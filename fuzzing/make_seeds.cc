// make_seeds CORPUS [IMAGE.meta.zst...]: writes what the fuzz targets begin with, a folder for each
// target: the samples, and of the metadata images (unpacked with zstd) those that are small enough.
#include <cstdio>
#include <exception>
#include <filesystem>
#include <fstream>
#include <string>

#include "base/error.h"
#include "cache/cache_metadata_test_support.h"
#include "era/build/metadata_builder.h"
#include "era/list/since_state.h"
#include "era/read/contents_reader.h"
#include "era/simulation/schedule.h"
#include "era/xml/xml_writer.h"
#include "fuzzing/image.h"
#include "fuzzing/samples.h"

namespace {

namespace fs = std::filesystem;

// As libFuzzer is told by scripts/fuzz.
constexpr std::size_t most_bytes = 40000;
constexpr std::uint64_t most_data_blocks = 5000;      // in XML
constexpr std::uint64_t most_data_blocks_full = 200;  // in XML with all that is not set

constexpr unsigned random_schedules = 40;

void write_file(const fs::path& path, std::string_view bytes) {
  std::ofstream out(path, std::ios::binary);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) {
    throw base::io_error(path.string() + ": cannot be written");
  }
}

std::string read_compressed(const fs::path& path) {
  const std::string command = "zstd -dcq '" + path.string() + "'";
  std::FILE* const from = ::popen(command.c_str(), "r");
  if (from == nullptr) {
    throw base::io_error("zstd cannot be run");
  }
  std::string all;
  char part[65536];
  for (std::size_t size = 0; (size = std::fread(part, 1, sizeof part, from)) > 0;) {
    all.append(part, size);
  }
  if (::pclose(from) != 0) {
    throw base::io_error(path.string() + ": zstd cannot unpack it");
  }
  return all;
}

fuzz::sparse_device unpack(const fs::path& path) {
  const std::string bytes = read_compressed(path);
  fuzz::sparse_device device(bytes.size() / pd::block_size);
  for (pd::block_nr where = 0; where < device.nr_blocks(); ++where) {
    const std::string_view block =
        std::string_view(bytes).substr(where * pd::block_size, pd::block_size);
    if (block.find_first_not_of('\0') != std::string_view::npos) {
      std::memcpy(device.block(where), block.data(), pd::block_size);
    }
  }
  return device;
}

class seeds {
 public:
  explicit seeds(fs::path corpus) : corpus_(std::move(corpus)) {
    for (const char* const target : {"metadata", "damage", "xml", "script", "cache", "delta"}) {
      fs::create_directories(corpus_ / target);
    }
  }

  void add_metadata(const std::string& name, fuzz::sparse_device device) {
    if (device.nr_blocks() > fuzz::most_blocks) {
      return;
    }
    const std::vector<std::uint8_t> bytes = fuzz::encode_image(fuzz::image_of(device));
    if (bytes.size() <= most_bytes) {
      add("metadata", name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
    add_dump(name, device);
  }

  void add_cache(const std::string& name, const fuzz::sparse_device& device) {
    const std::vector<std::uint8_t> bytes = fuzz::encode_image(fuzz::image_of_written(device));
    if (bytes.size() <= most_bytes) {
      add("cache", name, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    }
  }

  void add_made_caches() {
    for (const std::uint32_t version : {1U, 2U}) {
      for (const std::size_t size : {0U, 7U, 600U, 1100U}) {
        cache::test::cache_model model;
        model.version = version;
        for (std::size_t i = 0; i < size; ++i) {
          model.values.push_back(i % 40 == 0 ? cache::test::mapped_to(3 * i) : 0);
          model.dirty.push_back(i % 80 == 0);
        }
        fuzz::sparse_device device(64);
        cache::test::write_cache_metadata(device, model);
        add_cache("made_" + std::to_string(version) + "_" + std::to_string(size), device);
      }
    }
  }

  void add_damage(std::size_t nr_samples) {
    for (std::size_t sample = 0; sample < nr_samples; ++sample) {
      for (int kind = 0; kind < 7; ++kind) {
        std::string bytes(1, static_cast<char>(sample));
        for (int i = 0; i < 3; ++i) {
          bytes += {static_cast<char>(kind), 0, static_cast<char>(7 * i + kind), 0,
                    static_cast<char>(kind), 2, static_cast<char>(i + 3),        0};
        }
        add("damage", std::to_string(sample) + "_" + std::to_string(kind), bytes);
      }
    }
  }

  void add_deltas() const {
    const auto number = [](std::uint64_t value, int bytes) {
      std::string text;
      for (; bytes > 0; --bytes, value >>= 8) {
        text += static_cast<char>(value & 0xff);
      }
      return text;
    };
    const std::string line = "rbd diff v1\n";
    const std::string name = "era-17-1024x128";
    const std::string names =
        "f" + number(name.size(), 4) + name + "t" + number(name.size(), 4) + name;
    const std::string data = "w" + number(4096, 8) + number(30, 8) + std::string(30, 'x');
    const std::string zeros = "z" + number(65536, 8) + number(70000, 8);
    add("delta", "empty", line + "e");
    add("delta", "whole", line + names + "s" + number(1 << 20, 8) + data + zeros + "e");
    add("delta", "back", line + zeros + data + data + "e");
    add("delta", "name", name);
    add("delta", "state", era::encode_since_state({17, 128, 1024, 16, true}));
  }

  void add_scripts() {
    for (const fuzz::sample_script& script : fuzz::sample_scripts()) {
      add("script", script.name, script.text);
    }
    for (unsigned seed = 0; seed < random_schedules; ++seed) {
      std::string text;
      era::schedule schedule({seed, 30, "M", "O", 500});
      while (const auto command = schedule.next()) {
        text += era::text_of(*command) + "\n";
      }
      add("script", "random_" + std::to_string(seed), text);
    }
  }

 private:
  void add(const char* target, const std::string& name, std::string_view bytes) const {
    write_file(corpus_ / target / ("seed_" + name), bytes);
  }

  void add_dump(const std::string& name, fuzz::sparse_device& device) const {
    for (const bool compact : {false, true}) {
      const std::string file = "seed_" + name + (compact ? "_compact" : "");
      base::output out(corpus_ / "xml" / file);
      era::metadata_file metadata(device);
      era::strict_sink strict(name);
      era::xml_writer writer(out, compact);
      base::no_progress silent;
      if (metadata.load(era::metadata_state::live, strict).superblock.nr_blocks >
          (compact ? most_data_blocks : most_data_blocks_full)) {
        continue;
      }
      era::send_contents(metadata, {}, strict, writer, silent);
      out.commit();
    }
  }

  fs::path corpus_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 2) {
    std::fprintf(stderr, "usage: make_seeds CORPUS [IMAGE.meta.zst...]\n");
    return 1;
  }
  try {
    seeds all(argv[1]);
    const std::vector<fuzz::sample> samples = fuzz::make_samples();
    for (const fuzz::sample& sample : samples) {
      all.add_metadata(sample.name, sample.device);
    }
    for (int i = 2; i < argc; ++i) {
      const fs::path image = argv[i];
      const std::string name = "kernel_" + image.stem().stem().string();
      if (image.parent_path().filename() == "cache") {
        all.add_cache(name, unpack(image));
      } else {
        all.add_metadata(name, unpack(image));
      }
    }
    all.add_damage(samples.size());
    all.add_scripts();
    all.add_made_caches();
    all.add_deltas();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "make_seeds: %s\n", e.what());
    return 1;
  }
  return 0;
}
