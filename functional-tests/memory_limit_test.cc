// Where memory runs out, at whatever point, a tool says so and ends with 1: no signal, no result
// that is not whole, and no other sentence in its place.
#include <csignal>
#include <nlohmann/json.hpp>

#include "catch.h"
#include "fixtures.h"
#include "harness.h"
#include "metadata_bytes.h"

namespace {

using fixtures::bench;
using fixtures::call;

using words = std::vector<std::string>;

constexpr std::uint64_t kib = 1024;

// Of the dynamic loader: it has not come to our code.
constexpr int not_loaded = 127;

harness::result limited(const words& one, std::uint64_t bytes) {
  harness::run_options options;
  options.memory_limit = bytes;
  return call(one[0], {one.begin() + 1, one.end()}, options);
}

// The least memory with which the loader comes to its end. What it does last, it does in newer
// releases without looking whether there is memory: SIGSEGV.
std::uint64_t least_memory(const words& one) {
  std::uint64_t too_little = 4096 * kib;
  std::uint64_t enough = std::uint64_t{64} * kib * kib;
  while (enough - too_little > 4 * kib) {
    const std::uint64_t middle = (enough + too_little) / 2;
    const int status = limited(one, middle).status;
    (status == not_loaded || status == 128 + SIGSEGV ? too_little : enough) = middle;
  }
  return enough;
}

void check_end(const words& one, const harness::result& expected, std::uint64_t bytes) {
  const auto got = limited(one, bytes);
  INFO(one[0] << " with " << bytes / kib << " KiB: " << got.status << " " << got.err);
  if (got.status == not_loaded) {
    return;
  }
  if (one[1] == "-q") {
    CHECK((got.status == 0 || got.status == 1));
    CHECK(got.out + got.err == "");
    return;
  }
  // Remarks may come before it.
  const std::string sentence = one[0] + ": out of memory\n";
  const auto at = got.err.rfind(sentence);
  if (at != std::string::npos && at + sentence.size() == got.err.size()) {
    CHECK(got.status == 1);
  } else {
    CHECK(got.status == expected.status);
    CHECK(got.out == expected.out);
    CHECK(got.err == expected.err);
  }
  // There may be too little memory even for that, but never half an object.
  if (expected.out.rfind("{", 0) == 0 && !got.out.empty()) {
    CHECK(nlohmann::json::accept(got.out));
  }
}

}  // namespace

TEST_CASE("a tool that runs out of memory says so") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers reserve more memory than any limit");
    return;
  }
  const bench bench;
  const auto damaged = bench / "damaged";
  fixtures::unpack_damaged(harness::image_named("one_era"), {harness::superblock::era_array},
                           damaged);
  const auto& m = bench.metadata;
  for (const auto& one : std::vector<words>{
           {"era_check", m},
           {"era_check", "--format=json", m},
           {"era_check", "--format=json", damaged},
           {"era_check", "-q", m},
           {"era_check", "--bogus"},
           {"era_dump", m},
           {"era_dump", damaged},
           {"era_dump", "--repair", damaged},
           {"era_invalidate", "--written-since", "1", m},
           {"era_invalidate", "--written-since", "1", "--format=json", m},
           {"era_restore", "-i", bench.xml, "-o", bench.device},
           {"era_simulate", "--random", "3", "--ops", "20", "--print-script"},
       }) {
    const auto expected = call(one[0], {one.begin() + 1, one.end()});
    const std::uint64_t least = least_memory(one);
    const std::uint64_t small_step = (harness::at_length() ? 8 : 24) * kib;
    std::uint64_t step = small_step;
    for (std::uint64_t more = 0; more < 40 * kib * kib; more += step) {
      check_end(one, expected, least + more);
      step = more < 512 * kib ? small_step : 500 * kib;
    }
  }
}

TEST_CASE("a check that runs out of memory completes the report that it has begun") {
  if (harness::sanitized()) {
    WARN("skipped: sanitizers reserve more memory than any limit");
    return;
  }
  const bench bench;
  const auto& m = bench.metadata;
  harness::image_named("power_cut").unpack(m);
  const words as_json = {"era_check", "--format=json", m};
  const words as_text = {"era_check", m};
  const std::uint64_t least = least_memory(as_json);
  int in_json = 0;
  int in_text = 0;
  for (std::uint64_t more = 0; more < 4096 * kib; more += 64 * kib) {
    const auto text = limited(as_text, least + more);
    if (text.status == 1) {
      ++in_text;
      CHECK(text.out == "");  // nothing had been found
      CHECK(text.err == "era_check: out of memory\n");
    }
    const auto json = limited(as_json, least + more);
    const auto report = nlohmann::json::parse(json.out, nullptr, false);
    if (json.status == 1 && report.is_object() && report.contains("problems")) {
      ++in_json;
      CHECK(report.at("error") == "era_check: out of memory");
      CHECK(report.at("file") == m);
      CHECK(json.err == "era_check: out of memory\n");
    }
  }
  CHECK(in_json > 0);
  CHECK(in_text > 0);
}
