#include "era/build/run_sorter.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <random>
#include <tuple>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using era::contents_run;

bool same(const contents_run& a, const contents_run& b) {
  return a.first == b.first && a.count == b.count && a.value == b.value && a.at.line == b.at.line &&
         a.at.column == b.at.column;
}

// Ascending by block, and by place in the document where blocks are the same.
bool before(const contents_run& a, const contents_run& b) {
  return std::tuple(a.first, a.at.line, a.at.column) < std::tuple(b.first, b.at.line, b.at.column);
}

void expect_sorted(std::vector<contents_run> runs, std::size_t max_runs) {
  era::run_sorter sorter(max_runs);
  EXPECT_TRUE(sorter.empty());
  for (const contents_run& run : runs) {
    sorter.add(run);
  }
  EXPECT_EQ(sorter.empty(), runs.empty());
  std::sort(runs.begin(), runs.end(), before);
  for (const contents_run& expected : runs) {
    const auto got = sorter.next();
    ASSERT_TRUE(got);
    ASSERT_TRUE(same(*got, expected)) << got->first << " instead of " << expected.first;
  }
  EXPECT_FALSE(sorter.next());
  EXPECT_FALSE(sorter.next());
}

std::vector<contents_run> random_runs(std::size_t count, std::uint32_t blocks,
                                      std::mt19937_64& random) {
  std::vector<contents_run> runs;
  for (std::size_t i = 0; i < count; ++i) {
    runs.push_back({static_cast<std::uint32_t>(random() % blocks),
                    static_cast<std::uint32_t>(1 + random() % 9),
                    static_cast<std::uint32_t>(random()),
                    {i / 3, static_cast<std::uint32_t>(i % 3)}});
  }
  return runs;
}

TEST(run_sorter, sorts_nothing) {
  expect_sorted({}, 8);
}

TEST(run_sorter, sorts_in_memory) {
  std::mt19937_64 random(1);
  expect_sorted(random_runs(1000, 100000, random), std::size_t{1} << 18);
}

TEST(run_sorter, sorts_what_it_has_to_spill) {
  std::mt19937_64 random(2);
  for (const std::size_t max_runs : {1, 2, 7, 64, 1000}) {
    for (const std::size_t count : {1, 6, 7, 8, 63, 64, 65, 128, 999, 1000, 1001, 5000}) {
      SCOPED_TRACE(std::to_string(count) + " runs, " + std::to_string(max_runs) + " in memory");
      expect_sorted(random_runs(count, 100000, random), max_runs);
    }
  }
}

TEST(run_sorter, keeps_the_order_of_lines_for_the_same_block) {
  std::mt19937_64 random(3);
  expect_sorted(random_runs(3000, 10, random), 100);
}

TEST(run_sorter, sorts_runs_that_descend_or_are_in_order_already) {
  std::vector<contents_run> runs;
  for (std::uint32_t i = 0; i < 2000; ++i) {
    runs.push_back({i, 1, i, {i, 1}});
  }
  expect_sorted(runs, 64);
  std::reverse(runs.begin(), runs.end());
  expect_sorted(runs, 64);
}

// Sets an environment variable for a while.
class environment {
 public:
  environment(const char* name, const std::string& value) : name_(name) {
    if (const char* const old = std::getenv(name)) {
      old_ = old;
    }
    ::setenv(name, value.c_str(), 1);
  }
  ~environment() {
    if (old_) {
      ::setenv(name_, old_->c_str(), 1);
    } else {
      ::unsetenv(name_);
    }
  }
  environment(const environment&) = delete;
  environment& operator=(const environment&) = delete;

 private:
  const char* name_;
  std::optional<std::string> old_;
};

TEST(run_sorter, spills_to_a_nameless_file_in_tmpdir) {
  const base::test::temporary_folder folder;
  const environment tmpdir("TMPDIR", folder / ".");
  std::mt19937_64 random(4);
  era::run_sorter sorter(10);
  for (const contents_run& run : random_runs(100, 1000, random)) {
    sorter.add(run);
  }
  EXPECT_TRUE(folder.names().empty());
  EXPECT_TRUE(sorter.next());
}

TEST(run_sorter, says_what_to_do_where_it_cannot_spill) {
  const base::test::temporary_folder folder;
  const environment tmpdir("TMPDIR", folder / "missing");
  era::run_sorter sorter(2);
  sorter.add({});
  const std::string message = base::test::message_of<base::io_error>([&] { sorter.add({}); });
  EXPECT_NE(message.find(folder / "missing"), std::string::npos) << message;
  EXPECT_NE(message.find("set TMPDIR"), std::string::npos) << message;
}

}  // namespace
