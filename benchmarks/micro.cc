// Microbenchmarks of the loops in which the tools spend their time, on memory alone.
#include <benchmark/benchmark.h>
#include <sys/mman.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <vector>

#include "base/file_handle.h"
#include "base/text.h"
#include "benchmarks/image.h"
#include "benchmarks/xml_lines.h"
#include "era/invalidate.h"
#include "era/read/era_reader.h"
#include "era/xml/xml_reader.h"
#include "era/xml/xml_writer.h"
#include "persistent-data/btree_node.h"
#include "persistent-data/memory_device.h"

namespace {

constexpr std::uint32_t nr_blocks = 4 * era::era_reader::window;

// Lines that are formatted at once.
constexpr std::uint32_t piece = nr_blocks / 64;

bench::contents some_contents() {
  bench::contents what;
  what.nr_blocks = nr_blocks;
  return what;
}

const pd::memory_device& some_image() {
  static const auto device = [] {
    auto made = std::make_unique<pd::memory_device>(bench::blocks_needed(some_contents()));
    bench::write_image(*made, some_contents());
    return made;
  }();
  return *device;
}

void count_bytes(benchmark::State& state, std::uint64_t each_time) {
  state.SetBytesProcessed(static_cast<std::int64_t>(each_time) * state.iterations());
}

void count_items(benchmark::State& state, std::uint64_t each_time) {
  state.SetItemsProcessed(static_cast<std::int64_t>(each_time) * state.iterations());
}

void checksum(benchmark::State& state) {
  const auto nr = static_cast<std::size_t>(state.range(0));
  const pd::block_buffer blocks(nr);
  for (auto _ : state) {
    for (std::size_t i = 0; i < nr; ++i) {
      benchmark::DoNotOptimize(pd::body_crc(blocks.block(i)));
    }
  }
  count_bytes(state, nr * pd::block_size);
}
BENCHMARK(checksum)->Arg(1)->Arg(1024)->Arg(65536);

void decode_node(benchmark::State& state) {
  const auto value_size = static_cast<std::uint32_t>(state.range(0));
  pd::block_buffer block(1);
  const std::byte value[16] = {};
  pd::init_node(block.block(0), true, value_size);
  for (std::uint32_t i = 0; i < pd::node_capacity(value_size); ++i) {
    pd::put_entry(block.block(0), i, i, value);
  }
  pd::put_nr_entries(block.block(0), pd::node_capacity(value_size));
  for (auto _ : state) {
    benchmark::DoNotOptimize(pd::check_node(block.block(0), 1, value_size));
  }
  count_bytes(state, pd::block_size);
}
BENCHMARK(decode_node)->Arg(8)->Arg(12);

// Sound metadata, opened.
class loaded_image {
 public:
  explicit loaded_image(std::uint32_t since)
      : device_(const_cast<pd::memory_device&>(some_image())),
        sink_("memory"),
        reader_(device_),
        context_(reader_),
        metadata_(era::read_metadata(context_, era::read_superblock(reader_, 0, sink_).value(),
                                     false, sink_)),
        eras_(context_, metadata_, sink_, since) {}

  era::era_reader& eras() { return eras_; }

 private:
  pd::memory_device& device_;
  era::strict_sink sink_;
  pd::block_reader reader_;
  pd::walk_context context_;
  era::metadata metadata_;
  era::era_reader eras_;
};

void fold_last_written(benchmark::State& state) {
  loaded_image image(0);
  std::vector<std::uint32_t> eras(era::era_reader::window);
  for (auto _ : state) {
    for (std::uint64_t first = 0; first < nr_blocks; first += era::era_reader::window) {
      image.eras().last_written(first, eras);
      benchmark::DoNotOptimize(eras.data());
    }
  }
  count_items(state, nr_blocks);
}
BENCHMARK(fold_last_written);

void fold_written_since(benchmark::State& state) {
  loaded_image image(95);
  std::vector<std::uint64_t> words(nr_blocks / pd::bits_per_word);
  for (auto _ : state) {
    image.eras().written_since(words);
    benchmark::DoNotOptimize(words.data());
  }
  count_items(state, nr_blocks);
}
BENCHMARK(fold_written_since);

// A file in memory with a name to open it by.
class memory_file {
 public:
  explicit memory_file(std::string_view bytes) : file_(::memfd_create("benchmark", MFD_CLOEXEC)) {
    base::write_all(file_.fd(), bytes.data(), bytes.size(), name());
  }

  int fd() const { return file_.fd(); }
  std::string name() const { return "/proc/self/fd/" + std::to_string(file_.fd()); }
  void rewind() const { ::lseek(file_.fd(), 0, SEEK_SET); }

 private:
  base::file_handle file_;
};

// The list is private to era_invalidate, so this is the whole tool; the difference between an era
// with many runs and one with none is what the runs cost.
void invalidate(benchmark::State& state) {
  const pd::memory_device& image = some_image();
  const memory_file file(
      {reinterpret_cast<const char*>(image.block(0)), image.nr_blocks() * pd::block_size});
  era::invalidate_options options;
  options.written_since = static_cast<std::uint32_t>(state.range(0));
  options.output = "/dev/null";
  for (auto _ : state) {
    era::invalidate({file.name(), "benchmark", false}, options);
  }
  count_items(state, nr_blocks);
}
BENCHMARK(invalidate)->Arg(95)->Arg(101);

void format_bits(benchmark::State& state) {
  bench::bit_stream stream(some_contents(), 0);
  std::vector<std::uint64_t> words(nr_blocks / pd::bits_per_word);
  stream.next(words);
  base::text out;
  era::xml_writer xml(out, state.range(0) != 0);
  for (auto _ : state) {
    for (std::uint32_t first = 0; first < nr_blocks; first += piece) {
      out.clear();
      xml.bits(first, piece, std::span(words).subspan(first / 64));
    }
  }
  count_items(state, nr_blocks);
}
BENCHMARK(format_bits)->ArgName("compact")->Arg(0)->Arg(1);

void format_eras(benchmark::State& state) {
  bench::era_stream stream(some_contents());
  std::vector<std::uint32_t> eras(nr_blocks);
  stream.next(eras);
  base::text out;
  era::xml_writer xml(out, false);
  for (auto _ : state) {
    for (std::uint32_t first = 0; first < nr_blocks; first += piece) {
      out.clear();
      xml.eras(first, std::span(eras).subspan(first, piece));
    }
  }
  count_items(state, nr_blocks);
}
BENCHMARK(format_eras);

class counting_sink final : public era::xml_sink {
 public:
  void begin_superblock(std::uint32_t, std::uint32_t, std::uint32_t) override {}
  void begin_writeset(std::uint32_t, std::uint32_t, era::text_position) override {}
  void bits(std::span<const era::xml_run> runs) override { count_ += runs.size(); }
  void end_writeset() override {}
  void eras(std::span<const era::xml_run> runs) override { count_ += runs.size(); }

  std::uint64_t count() const { return count_; }

 private:
  std::uint64_t count_ = 0;
};

// A document of one writeset or of an era array alone.
std::string document(bool of_bits, std::uint32_t lines) {
  const std::string size = std::to_string(lines);
  std::string text =
      "<superblock uuid=\"\" block_size=\"128\" nr_blocks=\"" + size + "\" current_era=\"100\">\n";
  text += of_bits ? "  <writeset era=\"100\" nr_bits=\"" + size + "\">\n" : "  <era_array>\n";
  bench::xml_lines xml;
  for (std::uint32_t i = 0; i < lines; ++i) {
    if (of_bits) {
      xml.add_bit(i, i % 3 == 0);
    } else {
      xml.add_era(i, i % 100);
    }
    if (xml.is_full()) {
      text += xml.text();
      xml.clear();
    }
  }
  text += xml.text();
  return text + (of_bits ? "  </writeset>\n  <era_array>\n" : "") +
         "  </era_array>\n</superblock>\n";
}

void scan_xml(benchmark::State& state) {
  const std::string text = document(state.range(0) != 0, nr_blocks);
  const memory_file file(text);
  counting_sink sink;
  for (auto _ : state) {
    file.rewind();
    era::read_xml(file.fd(), "memory", sink, [](const std::string&) {});
    benchmark::DoNotOptimize(sink.count());
  }
  count_bytes(state, text.size());
}
BENCHMARK(scan_xml)->ArgName("bits")->Arg(1)->Arg(0);

}  // namespace
