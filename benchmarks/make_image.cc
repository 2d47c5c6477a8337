// make_image: metadata of any size for benchmarks, written in seconds.
#include "base/error.h"
#include "benchmarks/aging.h"
#include "benchmarks/cached_file.h"
#include "benchmarks/contents_options.h"
#include "benchmarks/image.h"

namespace {

const cli::command command = bench::with_contents_options(
    {"make_image",
     "[options] FILE",
     "Writes metadata with made-up eras and writesets to FILE, anew; the same for the same "
     "options.",
     {{0, "order", "NAME", "of the blocks: sequential (default), as restored, or aged"},
      {0, "metadata-blocks", "N", "size of FILE in blocks of 4096 bytes (what is needed)"}}});

cli::exit_status make_image(const cli::arguments& given) {
  const bench::contents what = bench::parse_contents(given);
  const bool aged = given.choice("order", {"sequential", "aged"}) == "aged";
  const pd::block_nr size = given.has("metadata-blocks")
                                ? given.number("metadata-blocks", UINT32_MAX)
                                : bench::blocks_needed(what);
  if (size == 0) {
    throw base::usage_error("option '--metadata-blocks': give 1 or more.");
  }
  bench::cached_file file(bench::output_file(given), size);
  if (aged) {
    bench::aged_device scattered(file, bench::blocks_used(what, size), what.seed);
    bench::write_image(scattered, what);
  } else {
    bench::write_image(file, what);
  }
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, make_image);
}
