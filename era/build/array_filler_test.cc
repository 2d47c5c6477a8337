#include "era/build/array_filler.h"

#include <gtest/gtest.h>

#include <numeric>
#include <random>

#include "persistent-data/array_test_support.h"

namespace {

using era::array_filler;
using era::contents_run;
using kind = array_filler::kind;

contents_run run(std::uint64_t first, std::uint64_t count, std::uint32_t value) {
  return {
      static_cast<std::uint32_t>(first), static_cast<std::uint32_t>(count), value, {first + 1, 1}};
}

// Gives runs to a filler in the order that they have, in batches of any size.
pd::block_nr filled(pd::bulk_writer& writer, kind of, std::uint64_t nr_blocks,
                    std::vector<contents_run> runs) {
  for (std::size_t i = 0; i < runs.size(); ++i) {
    runs[i].at = {i + 1, 1};
  }
  array_filler filler(writer, of, nr_blocks);
  for (std::size_t i = 0; i < runs.size(); i += 3) {
    filler.put(std::span(runs).subspan(i, std::min<std::size_t>(3, runs.size() - i)));
  }
  return filler.finish();
}

pd::array_root shape_of(kind of, pd::block_nr root, std::uint64_t nr_blocks) {
  return of == kind::eras ? pd::array_root{root, {4, nr_blocks}} : pd::bitset_root(root, nr_blocks);
}

// What is recorded of each block.
std::vector<std::uint32_t> values_in_elements(kind of, const pd::test::elements_read& elements,
                                              std::uint64_t nr_blocks) {
  const bool eras = of == kind::eras;
  std::vector<std::uint32_t> values;
  for (std::uint64_t b = 0; b < nr_blocks; ++b) {
    const std::uint64_t element = elements.at(eras ? b : b / 64).value();
    values.push_back(static_cast<std::uint32_t>(eras ? element : element >> b % 64 & 1));
  }
  return values;
}

// The values that an array has on its device.
std::vector<std::uint32_t> values_of(pd::block_device& device, pd::block_nr root, kind of,
                                     std::uint64_t nr_blocks) {
  auto got = pd::test::read_array(device, shape_of(of, root, nr_blocks));
  EXPECT_TRUE(got.found.empty()) << pd::test::text_of(got.found);
  return values_in_elements(of, got.elements[0], nr_blocks);
}

// Cuts the blocks into runs, some left out, each with a value of its own; 0 is among them.
std::vector<contents_run> random_runs(kind of, std::uint64_t nr_blocks, std::uint64_t longest,
                                      std::mt19937_64& random) {
  std::vector<contents_run> runs;
  for (std::uint64_t first = 0; first < nr_blocks;) {
    const std::uint64_t count = std::min(1 + random() % longest, nr_blocks - first);
    if (random() % 5 != 0) {
      runs.push_back(
          run(first, count, static_cast<std::uint32_t>(random() % (of == kind::eras ? 5 : 2))));
    }
    first += count;
  }
  return runs;
}

std::vector<std::uint32_t> model_of(const std::vector<contents_run>& runs,
                                    std::uint64_t nr_blocks) {
  std::vector<std::uint32_t> values(nr_blocks);
  for (const contents_run& one : runs) {
    std::fill_n(values.begin() + one.first, one.count, one.value);
  }
  return values;
}

class array_filler_of : public testing::TestWithParam<kind> {
 protected:
  void expect_values(const std::vector<contents_run>& runs, std::uint64_t nr_blocks) {
    pd::memory_device device(300);
    pd::bulk_writer writer(device, 1, nullptr);
    const pd::block_nr root = filled(writer, GetParam(), nr_blocks, runs);
    writer.flush();
    EXPECT_TRUE(values_of(device, root, GetParam(), nr_blocks) == model_of(runs, nr_blocks));
  }
};
INSTANTIATE_TEST_SUITE_P(kinds, array_filler_of, testing::Values(kind::eras, kind::bits));

TEST_P(array_filler_of, makes_arrays_of_nothing) {
  for (const std::uint64_t nr_blocks : {0, 1, 64, 1018, 1019, 40000}) {
    expect_values({}, nr_blocks);
  }
}

TEST_P(array_filler_of, takes_runs_in_order) {
  std::mt19937_64 random(1);
  for (const std::uint64_t nr_blocks : {1, 63, 1018, 5000, 32576, 70000}) {
    expect_values(random_runs(GetParam(), nr_blocks, 1 + nr_blocks / 20, random), nr_blocks);
  }
}

TEST_P(array_filler_of, takes_runs_in_any_order) {
  std::mt19937_64 random(2);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    const std::uint64_t nr_blocks = 1 + random() % 70000;
    auto runs = random_runs(GetParam(), nr_blocks, 1 + nr_blocks / 50, random);
    std::shuffle(runs.begin(), runs.end(), random);
    expect_values(runs, nr_blocks);
  }
}

TEST_P(array_filler_of, takes_runs_that_are_nearly_in_order) {
  std::mt19937_64 random(3);
  for (int round = 0; round < 20; ++round) {
    SCOPED_TRACE(round);
    auto runs = random_runs(GetParam(), 50000, 200, random);
    for (int i = 0; i < 5; ++i) {
      std::swap(runs[random() % runs.size()], runs[random() % runs.size()]);
    }
    expect_values(runs, 50000);
  }
}

TEST_P(array_filler_of, takes_runs_that_descend) {
  std::mt19937_64 random(4);
  auto runs = random_runs(GetParam(), 70000, 300, random);
  std::reverse(runs.begin(), runs.end());
  expect_values(runs, 70000);
}

TEST_P(array_filler_of, takes_runs_over_several_array_blocks) {
  expect_values({run(100, 69000, 1)}, 70000);
  expect_values({run(69500, 3, 1), run(100, 69000, 1)}, 70000);
  expect_values({run(65000, 1, 0), run(100, 64900, 1), run(66000, 4000, 1)}, 70000);
}

TEST_P(array_filler_of, refuses_a_block_that_is_given_twice_in_every_order) {
  // Blocks 0 to 3 and one of them again, with zeros and other values, in every order.
  pd::memory_device device(100);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<std::size_t> order(5);
  std::iota(order.begin(), order.end(), 0);
  do {
    for (std::uint32_t choice = 0; choice < 4 * 32; ++choice) {
      const std::uint64_t twice = choice % 4;
      const std::uint32_t values = choice / 4;
      std::vector<contents_run> runs;
      for (const std::size_t i : order) {
        runs.push_back(run(i == 4 ? twice : i, 1, values >> i & 1));
      }
      ASSERT_THROW(filled(writer, GetParam(), 10, runs), era::contents_conflict)
          << "order " << order[0] << order[1] << order[2] << order[3] << order[4] << ", values "
          << values << ", twice " << twice;
    }
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST_P(array_filler_of, takes_every_order_of_different_blocks) {
  pd::memory_device device(8000);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<std::size_t> order(5);
  std::iota(order.begin(), order.end(), 0);
  std::vector<pd::array_root> arrays;
  std::vector<std::uint32_t> values_in;
  do {
    for (std::uint32_t values = 0; values < 32; ++values) {
      std::vector<contents_run> runs;
      for (const std::size_t i : order) {
        runs.push_back(run(2 * i, 1, values >> i & 1));
      }
      const pd::block_nr root = filled(writer, GetParam(), 10, runs);
      arrays.push_back(shape_of(GetParam(), root, 10));
      values_in.push_back(values);
    }
  } while (std::next_permutation(order.begin(), order.end()));
  writer.flush();
  auto got = pd::test::read_arrays(device, arrays);
  EXPECT_TRUE(got.found.empty()) << pd::test::text_of(got.found);
  for (std::size_t i = 0; i < arrays.size(); ++i) {
    const auto values = values_in_elements(GetParam(), got.elements[i], 10);
    for (std::size_t b = 0; b < 10; ++b) {
      ASSERT_EQ(values[b], b % 2 == 0 ? values_in[i] >> b / 2 & 1 : 0);
    }
  }
}

TEST_P(array_filler_of, refuses_runs_that_overlap_in_any_order) {
  pd::memory_device device(4000);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<contents_run> runs = {run(10, 20, 1), run(50, 20, 0), run(90, 5, 1), run(0, 0, 0)};
  for (const auto& [first, end] : {std::pair{5, 11},
                                   {29, 40},
                                   {12, 13},
                                   {5, 80},
                                   {45, 51},
                                   {69, 75},
                                   {55, 56},
                                   {94, 100},
                                   {40, 91}}) {
    for (const std::uint32_t value : {0U, 1U}) {
      runs[3] =
          run(static_cast<std::uint64_t>(first), static_cast<std::uint64_t>(end - first), value);
      std::vector<contents_run> shuffled = runs;
      std::sort(shuffled.begin(), shuffled.end(),
                [](const contents_run& a, const contents_run& b) { return a.first < b.first; });
      do {
        ASSERT_THROW(filled(writer, GetParam(), 100, shuffled), era::contents_conflict)
            << first << " to " << end;
      } while (std::next_permutation(
          shuffled.begin(), shuffled.end(),
          [](const contents_run& a, const contents_run& b) { return a.first < b.first; }));
    }
  }
}

TEST_P(array_filler_of, names_the_line_of_the_second_one) {
  pd::memory_device device(100);
  pd::bulk_writer writer(device, 1, nullptr);
  const auto conflict_in = [&](const std::vector<contents_run>& runs) -> std::string {
    try {
      filled(writer, GetParam(), 100, runs);
    } catch (const era::contents_conflict& e) {
      return std::to_string(e.at().line) + ": " + e.what();
    }
    return "none";
  };
  EXPECT_EQ(conflict_in({run(0, 1, 1), run(1, 1, 1), run(0, 1, 0)}), "3: block 0 is given twice");
  EXPECT_EQ(conflict_in({run(5, 1, 1), run(3, 3, 1)}),
            "2: block 3 or one of the 2 after it is given twice");
}

TEST(array_filler, puts_late_values_into_blocks_that_are_on_the_device_already) {
  constexpr std::uint64_t nr_blocks = 4200 * 1018;  // more than a batch of the writer
  pd::memory_device device(4300);
  pd::bulk_writer writer(device, 1, nullptr);
  const std::vector<contents_run> runs = {
      run(100, 50, 3),          run(5000, nr_blocks - 5000 - 10, 1),
      run(nr_blocks - 3, 3, 2), run(nr_blocks - 9, 4, 7),
      run(0, 100, 5),           run(160, 4000, 6)};
  const pd::block_nr root = filled(writer, kind::eras, nr_blocks, runs);
  writer.flush();
  EXPECT_TRUE(values_of(device, root, kind::eras, nr_blocks) == model_of(runs, nr_blocks));
  EXPECT_THROW(filled(writer, kind::eras, 10, {run(4, 1, 2), run(5, 1, 2), run(4, 1, 1)}),
               era::contents_conflict);
}

TEST(array_filler, tells_zeros_given_twice_however_many_there_are) {
  constexpr std::uint64_t zeros = (std::uint64_t{1} << 18) + 2;
  pd::memory_device device(2000);
  pd::bulk_writer writer(device, 1, nullptr);
  std::vector<contents_run> runs;
  for (std::uint64_t i = 1; i <= zeros; ++i) {
    runs.push_back(run(2 * i, 1, 0));
  }
  runs.push_back(run(1, 1, 4));
  EXPECT_NO_THROW(filled(writer, kind::eras, 2 * zeros + 2, runs));
  runs.push_back(run(4, 1, 4));
  EXPECT_THROW(filled(writer, kind::eras, 2 * zeros + 2, runs), era::contents_conflict);
}

}  // namespace
