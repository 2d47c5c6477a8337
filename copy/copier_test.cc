#include "copy/copier.h"

#include <gtest/gtest.h>

#include "base/error.h"
#include "base/file_test_support.h"
#include "copy/endpoint_test_support.h"

namespace {

using base::byte_range;
using base::test::message_of;
using copy::copy_options;
using copy::copy_totals;
using copy::test::memory_end;

constexpr std::size_t mib = 1048576;

copy_totals run(memory_end& from, memory_end& to, const std::vector<byte_range>& ranges,
                const copy_options& how = {}) {
  base::no_progress progress;
  return copy::copy_extents(from, to, copy::test::these_ranges(ranges),
                            copy::test::bytes_in(ranges), how, progress);
}

// The bytes of the target after a copy with these options equal what they should be.
copy_totals run_and_compare(const std::vector<byte_range>& ranges, std::size_t size,
                            const copy_options& how) {
  memory_end from("source", copy::test::patterned_bytes(size, 1));
  memory_end to("target", copy::test::patterned_bytes(size, 2));
  const std::string expected = copy::test::merged(to.bytes(), from.bytes(), ranges);
  const copy_totals totals = run(from, to, ranges, how);
  EXPECT_TRUE(to.stable == expected);
  EXPECT_EQ(totals.copied, copy::test::bytes_in(ranges));
  EXPECT_EQ(totals.written + totals.zeroed + totals.skipped, totals.copied);
  EXPECT_LE(to.longest, 524288U);
  return totals;
}

TEST(copier, copies_what_is_listed_and_nothing_else) {
  for (unsigned seed = 1; seed <= 12; ++seed) {
    const std::size_t size = 3 * mib - 512 * seed;
    const std::uint64_t unit = seed % 3 == 0 ? 512 : 4096 << seed % 5;
    const auto ranges = copy::test::random_ranges(size, unit, seed);
    SCOPED_TRACE(seed);
    copy_options how;
    how.skip_equal = seed % 2 == 0;
    how.verify = seed % 4 < 2;
    how.sparse = seed % 3 > 0;
    run_and_compare(ranges, size, how);
  }
}

TEST(copier, copies_all_and_none) {
  const copy_totals all = run_and_compare({{0, 5 * mib - 1}}, 5 * mib - 1, {});
  EXPECT_GT(all.zeroed, mib);
  EXPECT_EQ(run_and_compare({}, mib, {}).copied, 0U);
}

TEST(copier, has_many_requests_under_way_and_not_too_many) {
  memory_end from("source", std::string(64 * mib, 'x'));
  memory_end to("target", std::string(64 * mib, '\0'));
  run(from, to, {{0, 64 * mib}});
  EXPECT_GE(from.most_under_way, 16U);
  EXPECT_LE(from.most_under_way, 32U);
}

TEST(copier, makes_zeros_holes_unless_it_is_told_otherwise) {
  memory_end from("source", std::string(2 * mib, '\0'));
  memory_end to("target", std::string(2 * mib, 'x'));
  const copy_totals sparse = run(from, to, {{0, 2 * mib}});
  EXPECT_EQ(sparse.zeroed, 2 * mib);
  EXPECT_TRUE(to.written.empty());

  memory_end full("target", std::string(2 * mib, 'x'));
  const copy_totals not_sparse = run(from, full, {{0, 2 * mib}}, {.sparse = false});
  EXPECT_EQ(not_sparse.written, 2 * mib);
  EXPECT_TRUE(full.zeroed.empty());
  EXPECT_TRUE(full.stable == from.bytes());
}

TEST(copier, writes_only_what_differs) {
  memory_end from("source", copy::test::patterned_bytes(4 * mib, 1));
  memory_end to("target", from.bytes());
  to.bytes()[5 * 4096 + 7] ^= 1;
  to.bytes()[3 * mib] ^= 1;
  const copy_totals totals = run(from, to, {{0, 4 * mib}}, {.skip_equal = true});
  EXPECT_TRUE(to.stable == from.bytes());
  EXPECT_EQ(totals.written, 2 * 4096U);
  EXPECT_EQ(totals.skipped, 4 * mib - 2 * 4096);
  std::sort(to.written.begin(), to.written.end(),
            [](const byte_range& a, const byte_range& b) { return a.first < b.first; });
  EXPECT_EQ(to.written, (std::vector<byte_range>{{5 * 4096, 6 * 4096}, {3 * mib, 3 * mib + 4096}}));
}

TEST(copier, finds_what_reads_back_as_something_else) {
  memory_end from("source", std::string(mib, 'a'));
  memory_end to("target", std::string(mib, 'b'));
  to.loses_writes = true;
  const std::string message = message_of<base::data_error>([&] {
    run(from, to, {{4096, mib}}, {.verify = true});
  });
  EXPECT_NE(message.find("target: reads back something else than was written, at byte "),
            std::string::npos)
      << message;
}

// Nothing is said to be complete that is not: each request, and the flush, fails once.
TEST(copier, fails_where_any_request_fails) {
  const std::vector<byte_range> ranges = {{0, 65536}, {262144, 266240}, {500000, 540000}};
  constexpr std::size_t size = 600000;
  for (const bool in_target : {false, true}) {
    for (const bool thorough : {false, true}) {
      const copy_options how{.skip_equal = thorough, .verify = thorough};
      std::uint64_t failed = 0;
      for (std::uint64_t k = 1;; ++k) {
        memory_end from("source", copy::test::patterned_bytes(size, 1));
        memory_end to("target", copy::test::patterned_bytes(size, 2));
        memory_end& failing = in_target ? to : from;
        failing.fails_at = k;
        try {
          run(from, to, ranges, how);
        } catch (const base::io_error& failure) {
          ++failed;
          EXPECT_EQ(std::string(failure.what()).find(failing.name() + ": "), 0U);
          EXPECT_TRUE(from.is_idle() && to.is_idle());
          continue;
        }
        EXPECT_EQ(k, failing.calls + 1) << "call " << k << " failed, and nothing was said";
        break;
      }
      EXPECT_GE(failed, 4U);
    }
  }
}

TEST(copier, says_what_failed_and_where) {
  memory_end from("source", std::string(mib, 'a'));
  memory_end to("target", std::string(mib, 'b'));
  to.fails_at = 1;
  EXPECT_EQ(message_of<base::io_error>([&] {
              run(from, to, {{4096, 8192}});
            }),
            "target: writing at byte 4096: Input/output error");
}

TEST(copier, refuses_what_lies_past_an_end) {
  memory_end from("source", std::string(2 * mib, 'a'));
  memory_end to("target", std::string(mib, 'b'));
  EXPECT_EQ(message_of<base::io_error>([&] {
              run(from, to, {{0, mib + 512}});
            }),
            "target: has 1048576 bytes, but bytes up to 1049088 are to be copied");
  EXPECT_TRUE(to.written.empty());
}

TEST(copier, gives_a_stream_its_pieces_in_order) {
  const auto ranges = copy::test::random_ranges(20 * mib, 65536, 5);
  memory_end from("source", copy::test::patterned_bytes(20 * mib, 1));
  memory_end to("stream", std::string(20 * mib, 'x'));
  to.in_order = true;
  run(from, to, ranges, {.sparse = false});
  EXPECT_GT(from.most_under_way, 4U);
  EXPECT_TRUE(
      std::is_sorted(to.written.begin(), to.written.end(),
                     [](const byte_range& a, const byte_range& b) { return a.first < b.first; }));
  EXPECT_EQ(copy::test::bytes_in(to.written), copy::test::bytes_in(ranges));
}

TEST(copier, lets_the_later_of_two_extents_win_where_they_overlap) {
  // The second time the source has other bytes there.
  memory_end from("source", std::string(mib, 'a'));
  memory_end to("target", std::string(mib, '-'));
  int round = 0;
  const copy::extent_source extents = [&]() -> std::optional<copy::extent> {
    if (++round == 1) {
      return copy::extent{{0, mib}, false};
    }
    return round == 2 ? std::optional(copy::extent{{0, 8192}, true}) : std::nullopt;
  };
  base::no_progress progress;
  copy::copy_extents(from, to, extents, 0, {}, progress);
  EXPECT_TRUE(to.stable == std::string(8192, '\0') + std::string(mib - 8192, 'a'));
}

TEST(copier, does_not_read_what_is_known_to_be_zeros) {
  memory_end from("source", std::string(mib, 'a'));
  memory_end to("target", std::string(mib, '-'));
  base::no_progress progress;
  copy::copy_extents(from, to, copy::test::these_extents({{{512, mib - 512}, true}}), 0,
                     {.verify = true}, progress);
  EXPECT_EQ(from.calls, 0U);
  EXPECT_TRUE(to.stable ==
              "-" + std::string(511, '-') + std::string(mib - 1024, '\0') + std::string(512, '-'));
}

TEST(copier, keeps_to_a_rate) {
  memory_end from("source", std::string(4 * mib, 'a'));
  memory_end to("target", std::string(4 * mib, '-'));
  const auto begun = std::chrono::steady_clock::now();
  run(from, to, {{0, 4 * mib}}, {.rate = 16 * mib});
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begun;
  // The last piece begins when the rate allows it: after 7/8 of the quarter of a second.
  EXPECT_GE(took.count(), 0.21);
}

TEST(copier, ends_at_a_deadline) {
  memory_end from("source", std::string(4 * mib, 'a'));
  memory_end to("target", std::string(4 * mib, '-'));
  const copy_options how{
      .rate = 512, .deadline = std::chrono::steady_clock::now() + std::chrono::milliseconds(150)};
  EXPECT_NE(message_of<base::io_error>([&] {
              run(from, to, {{0, 4 * mib}}, how);
            }).find("the time for copying was over"),
            std::string::npos);
  EXPECT_TRUE(to.stable == std::string(4 * mib, '-'));
}

TEST(copier, ends_where_the_list_fails) {
  memory_end from("source", std::string(4 * mib, 'a'));
  memory_end to("target", std::string(4 * mib, '-'));
  int calls = 0;
  const copy::extent_source extents = [&]() -> std::optional<copy::extent> {
    if (++calls > 3) {
      throw base::data_error("cut off");
    }
    return copy::extent{{calls * mib, (calls + 1) * mib}, false};
  };
  base::no_progress progress;
  EXPECT_THROW(copy::copy_extents(from, to, extents, 0, {}, progress), base::data_error);
  EXPECT_TRUE(from.is_idle() && to.is_idle());
}

}  // namespace
