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
#include "era/list/list_forms.h"
#include "era/read/era_reader.h"
#include "era/xml/xml_formatter.h"
#include "era/xml/xml_reader.h"
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
  loaded_image()
      : file_(const_cast<pd::memory_device&>(some_image())),
        sink_("memory"),
        metadata_(file_.load(era::metadata_state::live, sink_)),
        eras_(metadata_, sink_) {}

  era::era_reader& eras() { return eras_; }

 private:
  era::metadata_file file_;
  era::strict_sink sink_;
  era::metadata metadata_;
  era::era_reader eras_;
};

void fold_last_written(benchmark::State& state) {
  loaded_image image;
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
  loaded_image image;
  std::vector<std::uint64_t> words(nr_blocks / pd::bits_per_word);
  base::no_progress silent;
  for (auto _ : state) {
    image.eras().written_since(95, words, silent);
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

void print_list(benchmark::State& state, const era::list_format& format) {
  era::metadata_file file(const_cast<pd::memory_device&>(some_image()));
  era::strict_sink sink("memory");
  base::no_progress silent;
  const era::styled_list list{
      era::list_written_blocks(file, era::metadata_state::live, {95}, sink, silent), {}};
  for (auto _ : state) {
    base::output out("/dev/null");
    era::print_list(format, list, out, silent);
  }
  count_items(state, nr_blocks);
}
BENCHMARK_CAPTURE(print_list, xml, era::xml_list);
BENCHMARK_CAPTURE(print_list, json, era::json_list);
BENCHMARK_CAPTURE(print_list, rbd_diff, era::rbd_diff_list);
BENCHMARK_CAPTURE(print_list, ddrescue, era::ddrescue_list);
BENCHMARK_CAPTURE(print_list, extentlist, era::extent_list);
BENCHMARK_CAPTURE(print_list, bmap, era::bmap_list);
BENCHMARK_CAPTURE(print_list, ranges, era::ranges_list);

void format_bits(benchmark::State& state) {
  bench::bit_stream stream(some_contents(), 0);
  std::vector<std::uint64_t> words(nr_blocks / pd::bits_per_word);
  stream.next(words);
  base::text out;
  era::xml_formatter xml(out, state.range(0) != 0);
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
  era::xml_formatter xml(out, false);
  for (auto _ : state) {
    for (std::uint32_t first = 0; first < nr_blocks; first += piece) {
      out.clear();
      xml.eras(first, std::span(eras).subspan(first, piece));
    }
  }
  count_items(state, nr_blocks);
}
BENCHMARK(format_eras);

class counting_sink final : public era::contents_sink {
 public:
  void begin(const era::superblock_facts&) override {}
  void begin_writeset(std::uint32_t, std::uint32_t, era::text_position) override {}
  void bits(std::span<const era::contents_run> runs) override { count_ += runs.size(); }
  void bits(era::window_ptr) override {}
  void end_writeset() override {}
  void eras(std::span<const era::contents_run> runs) override { count_ += runs.size(); }
  void eras(era::window_ptr) override {}
  void end() override {}

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
  base::no_progress silent;
  for (auto _ : state) {
    file.rewind();
    era::read_xml(
        {file.fd(), "memory"}, sink, [](const std::string&) {}, silent);
    benchmark::DoNotOptimize(sink.count());
  }
  count_bytes(state, text.size());
}
BENCHMARK(scan_xml)->ArgName("bits")->Arg(1)->Arg(0);

}  // namespace
