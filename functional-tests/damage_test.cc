// Metadata with blocks that went bad, or that ends too early: the tools notice, or have no need of
// what is lost.
#include <algorithm>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "catch.h"
#include "harness.h"
#include "metadata_bytes.h"
#include "questions.h"

namespace {

using harness::metadata_bytes;
using harness::temporary_folder;

const std::vector<std::string> small_images = {"one_era", "random/r007"};

std::vector<std::uint64_t> used_blocks(const std::string& image) {
  return metadata_bytes(harness::image_named(image)).used_blocks();
}

struct flip {
  std::uint64_t block;
  std::size_t offset;
  unsigned char difference;
};

// Changes of one byte in every block: in the checksum, in the header, anywhere, at the end.
std::vector<flip> flips_of(const std::vector<std::uint64_t>& blocks, unsigned seed) {
  std::mt19937 random(seed);
  const auto between = [&](std::size_t first, std::size_t last) {
    return std::uniform_int_distribution<std::size_t>(first, last)(random);
  };
  std::vector<flip> flips;
  for (const auto block : blocks) {
    for (const auto offset :
         {between(0, 3), between(4, 31), between(32, 4094), std::size_t{4095}}) {
      flips.push_back({block, offset, static_cast<unsigned char>(between(1, 255))});
    }
  }
  return flips;
}

// Calls `visit` with each flip in these blocks and the path of metadata that suffered it.
template <typename Visitor>
void for_each_flip(const std::string& image, const std::vector<std::uint64_t>& blocks,
                   Visitor visit) {
  const metadata_bytes good(harness::image_named(image));
  const temporary_folder folder;
  const auto path = folder / "metadata";
  for (const unsigned seed : {1, 2}) {
    for (const auto& flip : flips_of(blocks, seed)) {
      INFO(image << ", seed " << seed << ": block " << flip.block << ", byte " << flip.offset);
      auto bad = good;
      bad.damage(flip.block, flip.offset, flip.difference);
      harness::write_file(path, bad.bytes());
      visit(flip, path);
    }
  }
}

// Sizes from nothing to just beyond the last used block, and odd ones between.
std::vector<std::size_t> cut_sizes(const metadata_bytes& metadata) {
  constexpr auto block = harness::metadata_block_size;
  std::vector<std::size_t> sizes = {1, 511, 512, block - 1, metadata.bytes().size() - 1};
  for (std::size_t blocks = 0; blocks <= metadata.used_blocks().back() + 2; ++blocks) {
    sizes.push_back(blocks * block);
  }
  for (const std::size_t blocks :
       {std::uint64_t{1}, std::uint64_t{5}, metadata.used_blocks().back()}) {
    for (const std::size_t odd : {1, 512, 2048, 4095}) {
      sizes.push_back(blocks * block + odd);
    }
  }
  return sizes;
}

template <typename Visitor>
void for_each_cut(const std::string& image, Visitor visit) {
  const metadata_bytes good(harness::image_named(image));
  const temporary_folder folder;
  const auto path = folder / "metadata";
  for (const auto size : cut_sizes(good)) {
    INFO(image << ", cut to " << size << " bytes");
    harness::write_file(path, good.bytes().substr(0, size));
    visit(size, path);
  }
}

}  // namespace

TEST_CASE("every used block of the images has a right checksum and is counted") {
  for (const auto& image : harness::images()) {
    INFO(image.name);
    const metadata_bytes metadata(image);
    const auto used = metadata.used_blocks();
    CHECK(used.size() == metadata.get64(0, harness::superblock::map_nr_allocated));
    CHECK(std::all_of(used.begin(), used.end(),
                      [&](std::uint64_t block) { return metadata.kind(block).has_value(); }));
  }
}

TEST_CASE("era_check fails for one changed byte in any used block, and names the block", "[slow]") {
  for (const auto& image : small_images) {
    for_each_flip(image, used_blocks(image), [](const flip& flip, const std::string& path) {
      const auto got = harness::run_bounded({harness::tool("era_check")}, path);
      INFO(got.out << got.err);
      CHECK(got.status == 1);
      CHECK_THAT(got.err, Catch::Contains(path));
      if (flip.block == 0) {
        CHECK_THAT(got.err, Catch::Contains("bad checksum in superblock"));
      } else {
        CHECK(harness::names_block(got.out, flip.block));
      }
    });
  }
}

TEST_CASE("one changed byte makes no reader give a wrong answer", "[slow]") {
  for (const auto& image : small_images) {
    const auto questions = harness::questions(harness::image_named(image));
    unsigned refusals = 0;
    for_each_flip(image, used_blocks(image), [&](const flip&, const std::string& path) {
      for (const auto& question : questions) {
        const auto got = harness::run_bounded(question.arguments, path);
        const bool refused = harness::is_refusal(got, path);
        refusals += refused ? 1 : 0;
        INFO(question.text() << ": exit status " << got.status << ", stderr: " << got.err);
        CHECK((refused || harness::is_right(got, question.answer)));
      }
    });
    // Each question needs more than one block, so that many were refused.
    CHECK(refusals > questions.size());
  }
}

TEST_CASE("a changed byte in the superblock makes every reader refuse", "[slow]") {
  for (const auto& image : small_images) {
    const auto questions = harness::questions(harness::image_named(image));
    for_each_flip(image, {0}, [&](const flip&, const std::string& path) {
      for (const auto& question : questions) {
        const auto got = harness::run_bounded(question.arguments, path);
        INFO(question.text());
        CHECK(harness::is_refusal(got, path));
        CHECK_THAT(got.err, Catch::Contains("bad checksum in superblock"));
      }
    });
  }
}

TEST_CASE("era_check fails for metadata that was cut off", "[slow]") {
  for (const auto& image : small_images) {
    for_each_cut(image, [](std::size_t size, const std::string& path) {
      const auto got = harness::run_bounded({harness::tool("era_check")}, path);
      INFO(got.out << got.err);
      CHECK(got.status == 1);
      CHECK_FALSE(got.err.empty());
      if (size < harness::metadata_block_size) {
        CHECK(got.out == "");
        CHECK_THAT(got.err, Catch::Contains("Metadata device/file too small."
                                            "  Is this binary metadata?"));
      }
    });
  }
}

TEST_CASE("no reader gives a wrong answer from metadata that was cut off", "[slow]") {
  for (const auto& image : small_images) {
    const auto questions = harness::questions(harness::image_named(image));
    for_each_cut(image, [&](std::size_t size, const std::string& path) {
      for (const auto& question : questions) {
        const auto got = harness::run_bounded(question.arguments, path);
        INFO(question.text() << ": exit status " << got.status << ", stderr: " << got.err);
        if (size < harness::metadata_block_size) {
          CHECK(got.status == 1);
          CHECK(got.out == "");
          CHECK_THAT(got.err, Catch::Contains("Metadata device/file too small."
                                              "  Is this binary metadata?"));
        } else {
          CHECK((harness::is_refusal(got, path) || harness::is_right(got, question.answer)));
        }
      }
    });
  }
}
