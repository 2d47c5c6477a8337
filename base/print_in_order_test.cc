#include "base/print_in_order.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <string>
#include <thread>

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
    return [this, number](base::text& to) {
      if (number % 7 == 0) {
        std::this_thread::sleep_for(std::chrono::microseconds(200));
      }
      if (number == fails_at) {
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

class print_in_order : public testing::TestWithParam<unsigned> {
 protected:
  std::string path() const { return folder_ / "text"; }

 private:
  temporary_folder folder_;
};

TEST_P(print_in_order, keeps_the_order) {
  base::output out(path());
  counting pieces(1000);
  base::print_in_order(
      out, [&] { return pieces.next(); }, GetParam());
  out.commit();
  EXPECT_EQ(read_file(path()), counting::expected(1000));
}

TEST_P(print_in_order, prints_nothing_where_there_is_nothing) {
  base::output out(path());
  base::print_in_order(
      out, [] { return base::text_maker(); }, GetParam());
  out.commit();
  EXPECT_EQ(read_file(path()), "");
}

TEST_P(print_in_order, prints_what_comes_before_a_failure_and_nothing_behind_it) {
  base::output out(path());
  counting pieces(1000);
  pieces.fails_at = 500;
  EXPECT_THROW(base::print_in_order(
                   out, [&] { return pieces.next(); }, GetParam()),
               base::data_error);
  out.commit();
  EXPECT_EQ(read_file(path()), counting::expected(500));
}

TEST_P(print_in_order, ends_when_no_next_piece_can_be_had) {
  base::output out(path());
  counting pieces(1000);
  int asked = 0;
  const auto next = [&] {
    if (asked++ == 100) {
      throw base::data_error("no piece");
    }
    return pieces.next();
  };
  EXPECT_THROW(base::print_in_order(out, next, GetParam()), base::data_error);
  out.commit();
  EXPECT_EQ(read_file(path()), counting::expected(100));
}

TEST_P(print_in_order, ends_when_nothing_more_can_be_written) {
  base::output out("/dev/full");
  const auto next = [] { return [](base::text& to) { to << std::string(1 << 20, 'x'); }; };
  EXPECT_THROW(base::print_in_order(out, next, GetParam()), base::io_error);
}

INSTANTIATE_TEST_SUITE_P(threads, print_in_order, testing::Values(0, 1, 2, 5));

}  // namespace
