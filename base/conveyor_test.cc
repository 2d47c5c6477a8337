#include "base/conveyor.h"

#include <gtest/gtest.h>

#include <atomic>
#include <set>
#include <stdexcept>

namespace {

TEST(conveyor, delivers_in_the_order_of_making) {
  int made = 0;
  base::conveyor<int> numbers(3, [&](int& number) {
    number = made++;
    return made <= 1000;
  });
  for (int i = 0; i < 1000; ++i) {
    const auto got = numbers.next();
    ASSERT_NE(got, nullptr);
    EXPECT_EQ(*got, i);
  }
  EXPECT_EQ(numbers.next(), nullptr);
  EXPECT_EQ(numbers.next(), nullptr);
}

TEST(conveyor, makes_no_more_at_a_time_than_it_has_slots) {
  std::atomic<int> made = 0;
  base::conveyor<int> numbers(2, [&](int& number) {
    number = ++made;
    return true;
  });
  const auto first = numbers.next();
  const auto second = numbers.next();
  EXPECT_EQ(made, 2);
  EXPECT_EQ(*first + *second, 3);
}

TEST(conveyor, uses_what_was_given_back_again) {
  std::set<const int*> places;
  int made = 0;
  base::conveyor<int> numbers(2, [&](int&) { return made++ < 100; });
  while (const auto number = numbers.next()) {
    places.insert(number.get());
  }
  EXPECT_LE(places.size(), 2U);
}

TEST(conveyor, throws_what_the_maker_threw_behind_what_it_made) {
  int made = 0;
  base::conveyor<int> numbers(4, [&](int& number) {
    number = made++;
    if (number == 2) {
      throw std::runtime_error("no more");
    }
    return true;
  });
  EXPECT_EQ(*numbers.next(), 0);
  EXPECT_EQ(*numbers.next(), 1);
  EXPECT_THROW(numbers.next(), std::runtime_error);
  EXPECT_THROW(numbers.next(), std::runtime_error);
}

TEST(conveyor, stops_when_it_is_dropped) {
  std::atomic<int> made = 0;
  {
    base::conveyor<int> numbers(2, [&](int&) {
      ++made;
      return true;
    });
    EXPECT_NE(numbers.next(), nullptr);
  }
  EXPECT_LE(made, 3);
}

TEST(conveyor, feeds_several_threads) {
  int made = 0;
  base::conveyor<int> numbers(3, [&](int& number) {
    number = made++;
    return made <= 10'000;
  });
  std::mutex one_at_a_time;
  std::atomic<long> sum = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    threads.emplace_back([&] {
      while (true) {
        std::shared_ptr<int> number;
        {
          const std::lock_guard lock(one_at_a_time);
          number = numbers.next();
        }
        if (!number) {
          return;
        }
        sum += *number;
      }
    });
  }
  for (std::thread& thread : threads) {
    thread.join();
  }
  EXPECT_EQ(sum, 10'000L * 9'999 / 2);
}

TEST(conveyor, leaves_signals_to_the_threads_of_the_program) {
  sigset_t of_maker{};
  sigset_t before{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &before);
  base::conveyor<int> belt(1, [&](int&) {
    ::pthread_sigmask(SIG_SETMASK, nullptr, &of_maker);
    return false;
  });
  EXPECT_EQ(belt.next(), nullptr);
  EXPECT_EQ(::sigismember(&of_maker, SIGALRM), 1);
  sigset_t after{};
  ::pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(::sigismember(&after, SIGALRM), ::sigismember(&before, SIGALRM));
}

}  // namespace
