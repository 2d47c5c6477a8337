// make_cache_image: dm-cache metadata of any size for benchmarks, written in seconds.
#include "base/error.h"
#include "benchmarks/cached_file.h"
#include "benchmarks/contents_options.h"
#include "cache/cache_metadata_test_support.h"
#include "cache/mapping.h"
#include "persistent-data/sizes.h"

namespace {

const cli::command command{
    "make_cache_image",
    "[options] FILE",
    "Writes metadata of a full, clean cache to FILE, anew; the same for the same options.",
    {{0, "cache-blocks", "N", "blocks of the cache (1000000)"},
     {0, "origin-blocks", "N",
      "blocks of its origin, over which they are strewn (4 times as many)"},
     {0, "block-size", "SECTORS", "of both (64)"}}};

std::uint64_t number(const cli::arguments& given, const std::string& option,
                     std::uint64_t otherwise) {
  return given.has(option) ? given.number(option, UINT32_MAX) : otherwise;
}

cache::test::cache_model model_of(const cli::arguments& given) {
  // A prime: its multiples, modulo what is no multiple of it, are all different.
  constexpr std::uint64_t step = 2654435761;
  const std::uint64_t nr_cache = number(given, "cache-blocks", 1000000);
  const std::uint64_t nr_origin = number(given, "origin-blocks", 4 * nr_cache);
  if (nr_cache > cache::max_cache_blocks || nr_origin < nr_cache || nr_origin % step == 0) {
    throw base::usage_error("An origin has at least as many blocks as its cache.");
  }
  cache::test::cache_model model;
  model.data_block_size = static_cast<std::uint32_t>(number(given, "block-size", 64));
  model.values.resize(nr_cache);
  for (std::uint64_t i = 0; i < nr_cache; ++i) {
    model.values[i] = cache::test::mapped_to(i * step % nr_origin);
  }
  return model;
}

cli::exit_status make_cache_image(const cli::arguments& given) {
  const cache::test::cache_model model = model_of(given);
  const pd::block_nr used = 1 + pd::array_blocks(model.values.size(), sizeof(std::uint64_t)) +
                            pd::bitset_blocks(model.values.size());
  bench::cached_file file(bench::output_file(given), pd::device_blocks(used));
  cache::test::write_cache_metadata(file, model);
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, make_cache_image);
}
