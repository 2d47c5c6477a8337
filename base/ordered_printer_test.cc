#include "base/ordered_printer.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <string>
#include <thread>
#include <utility>

#include "base/error.h"
#include "base/file_test_support.h"

namespace {

using base::test::read_file;
using base::test::temporary_folder;

// Pieces "0\n", "1\n" …, of which every seventh takes a while to make.
class counting {
 public:
  explicit counting(int end) : end_(end) {}

  base::text_maker next() {
    const int number = next_;
    if (number == end_) {
      return nullptr;
    }
    ++next_;
    return [number, fails = fails_at](base::text& to) {
      if (number % 7 == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
      if (number == fails) {
        throw base::data_error("piece " + std::to_string(number));
      }
      to.number(static_cast<std::uint64_t>(number)) << "\n";
    };
  }

  static std::string expected(int end) {
    std::string all;
    for (int i = 0; i < end; ++i) {
      all += std::to_string(i) + "\n";
    }
    return all;
  }

  int fails_at = -1;

 private:
  int next_ = 0;
  int end_;
};

class ordered_printer : public testing::TestWithParam<unsigned> {
 protected:
  std::string path() const { return folder_ / "text"; }

  static void print_all(counting pieces, base::output& out) {
    base::ordered_printer printer(out, GetParam());
    while (base::text_maker make = pieces.next()) {
      printer.put(std::move(make));
    }
    printer.finish();
  }

 private:
  temporary_folder folder_;
};

TEST_P(ordered_printer, keeps_the_order) {
  base::output out(path());
  print_all(counting(1000), out);
  out.commit();
  EXPECT_EQ(read_file(path()), counting::expected(1000));
}

TEST_P(ordered_printer, prints_nothing_where_there_is_nothing) {
  base::output out(path());
  print_all(counting(0), out);
  out.commit();
  EXPECT_EQ(read_file(path()), "");
}

TEST_P(ordered_printer, prints_what_comes_before_a_failure_and_nothing_after_it) {
  base::output out(path());
  counting pieces(1000);
  pieces.fails_at = 500;
  EXPECT_THROW(print_all(pieces, out), base::data_error);
  out.commit();
  EXPECT_EQ(read_file(path()), counting::expected(500));
}

TEST_P(ordered_printer, can_be_dropped_while_pieces_wait) {
  base::output out(path());
  std::atomic<int> held = 0;
  {
    base::ordered_printer printer(out, GetParam());
    for (int i = 0; i < 20; ++i) {
      ++held;
      const std::shared_ptr<int> owned(new int(i), [&](const int* gone) {
        delete gone;
        --held;
      });
      printer.put([owned](base::text& to) { to.number(static_cast<std::uint64_t>(*owned)); });
    }
  }
  EXPECT_EQ(held, 0);
}

TEST_P(ordered_printer, ends_when_nothing_more_can_be_written) {
  base::output out("/dev/full");
  base::ordered_printer printer(out, GetParam());
  EXPECT_THROW(
      for (;;) { printer.put([](base::text& to) { to << std::string(1 << 20, 'x'); }); },
      base::io_error);
  EXPECT_THROW(printer.finish(), base::io_error);
}

INSTANTIATE_TEST_SUITE_P(threads, ordered_printer, testing::Values(0, 1, 2, 5));

}  // namespace
