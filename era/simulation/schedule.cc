#include "era/simulation/schedule.h"

#include <algorithm>
#include <iterator>

namespace era {
namespace {

constexpr std::uint64_t block_sizes[] = {8, 16, 24, 64, 72, 200};
constexpr std::uint64_t lengths[] = {1, 60, 300, 1018, 1100, 2036, 5000};  // data blocks, at most
constexpr std::uint64_t metadata_sectors = 8192;

}  // namespace

schedule::schedule(const schedule_options& options)
    : options_(options), random_(options.seed), left_(options.nr_operations) {
  block_size_ = block_sizes[below(std::size(block_sizes))];
  most_blocks_ = std::min(lengths[below(std::size(lengths))], options.most_blocks);
  length_ = random_length();
  ready_.push_back({verb::device, outcome::success, {metadata_sectors}, options_.metadata});
  ready_.push_back({verb::device, outcome::success, {most_blocks_ * block_size_}, options_.origin});
  add_text(verb::create, table());
}

void schedule::add(verb what, std::vector<std::uint64_t> numbers) {
  ready_.push_back({what, outcome::success, std::move(numbers), ""});
}

void schedule::add_text(verb what, const std::string& text, outcome expected) {
  ready_.push_back({what, expected, {}, text});
}

std::string schedule::table() {
  return "0 " + std::to_string(length_) + " era " + options_.metadata + " " + options_.origin +
         " " + std::to_string(block_size_);
}

// The last block may be partial.
std::uint64_t schedule::random_length() {
  const std::uint64_t blocks = 1 + below(most_blocks_);
  return (blocks - 1) * block_size_ + (one_in(2) ? block_size_ : 1 + below(block_size_));
}

std::optional<script_command> schedule::next() {
  while (ready_.empty() && left_ > 0) {
    --left_;
    add_operation();
    if (left_ == 0) {
      add_end();
    }
  }
  if (ready_.empty()) {
    return std::nullopt;
  }
  script_command command = ready_.front();
  ready_.pop_front();
  return command;
}

void schedule::add_operation() {
  const std::uint64_t choice = below(100);
  if (choice < 50) {
    add_request();
  } else if (choice < 65) {
    add_message();
  } else if (choice < 80) {
    add(verb::step, {1 + below(30)});
  } else if (choice < 86) {
    add(verb::settle);
  } else if (choice < 91) {
    add(verb::status);
  } else if (choice < 97) {
    add_suspension();
  } else {
    add_power_cut();
  }
}

void schedule::add_request() {
  const std::uint64_t sector = below(length_);
  const std::uint64_t most = one_in(8) ? length_ : 3 * block_size_;
  const std::uint64_t sectors = 1 + below(std::min(most, length_ - sector));
  switch (below(10)) {
    case 0:
      return add(verb::write_zeroes, {sector, sectors});
    case 1:
      return add(verb::discard, {sector, sectors});
    case 2:
      return add(verb::read, {sector, sectors});
    case 3:
      return add(verb::flush);
    default:
      return add(verb::write, {sector, sectors});
  }
}

void schedule::add_message() {
  if (one_in(10)) {
    return add_text(verb::message, "hello", outcome::failure);
  }
  if (one_in(3)) {
    return add_snapshot_message();
  }
  add_text(verb::message, "checkpoint");
}

void schedule::add_snapshot_message() {
  const bool take = one_in(2);
  add_text(verb::message, take ? "take_metadata_snap" : "drop_metadata_snap",
           take == snapshot_held_ ? outcome::failure : outcome::success);
  snapshot_held_ = take;
}

void schedule::add_suspension() {
  add(verb::suspend);
  if (one_in(2)) {
    length_ = random_length();
    add_text(verb::reload, table());
  }
  add(verb::resume);
}

// Between two commands, or in the midst of some. Then it is not known whether there is a snapshot.
void schedule::add_power_cut() {
  const std::uint64_t seed = below(1000000);
  if (one_in(3)) {
    add(verb::power_cut, {seed});
    return add_text(verb::create, table());
  }
  add(verb::power_cut_after, {below(40), seed});
  for (std::uint64_t n = 1 + below(6); n > 0; --n) {
    one_in(3) ? add_message() : one_in(4) ? add_suspension() : add_request();
  }
  add(verb::power_cut, {seed});
  add_text(verb::create, table());
  add_text(verb::message, "drop_metadata_snap", outcome::any);
  snapshot_held_ = false;
}

void schedule::add_end() {
  if (one_in(3)) {
    add(verb::power_cut, {below(1000000)});
  } else {
    add(verb::remove);
  }
}

}  // namespace era
