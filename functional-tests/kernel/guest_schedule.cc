#include "guest_schedule.h"

#include <algorithm>
#include <array>
#include <random>
#include <utility>

namespace kernel {
namespace {

// Elements of the era array in one metadata block: lengths around its multiples are of interest.
constexpr std::uint64_t eras_per_block = 1018;

class generator {
 public:
  explicit generator(std::uint64_t seed) : random_(seed) {}

  guest_schedule generate(const std::string& name) {
    static constexpr std::array<std::uint32_t, 10> block_sizes = {8,  16, 24,  32,  40,
                                                                  64, 72, 128, 200, 256};
    block_size_ = pick(block_sizes);
    author author(name, block_size_, length_ = random_length());
    add_session(author);
    for (auto more = below(3); more > 0; --more) {
      author.create_again(length_ = one_in(3) ? random_length() : length_);
      add_session(author);
    }
    return author.finish();
  }

 private:
  std::uint64_t below(std::uint64_t end) { return random_() % end; }
  std::uint64_t between(std::uint64_t first, std::uint64_t last) {
    return first + below(last - first + 1);
  }
  bool one_in(std::uint64_t n) { return below(n) == 0; }
  template <typename Values>
  typename Values::value_type pick(const Values& values) {
    return values[below(values.size())];
  }

  std::uint64_t random_length() {
    if (one_in(4)) {
      // A shrink to one of these may leave a stale array block.
      return (eras_per_block * between(1, 3) + pick(std::array<std::uint64_t, 3>{0, 1, 5})) *
             block_size_;
    }
    return between(100, 4000) * block_size_ + (one_in(2) ? below(block_size_) : 0);
  }

  void add_session(author& author) {
    for (auto operations = between(15, 40); operations > 0; --operations) {
      add_operation(author);
    }
    if (one_in(3)) {
      author.cut_power();
    }
  }

  void add_operation(author& author) {
    const auto kind = below(20);
    if (kind < 11) {
      add_io(author);
    } else if (kind < 14) {
      author.checkpoint();
    } else if (kind < 17) {
      add_snapshot(author);
    } else {
      add_rarity(author);
    }
  }

  void add_io(author& author) {
    static constexpr std::array<action, 10> kinds = {
        action::write,        action::write,        action::write,          action::write,
        action::write_zeroes, action::write_zeroes, action::write_buffered, action::write_sync,
        action::discard,      action::read};
    const auto kind = pick(kinds);
    if (kind != action::write_buffered && one_in(3)) {
      add_partial_io(author, kind);
      return;
    }
    const auto blocks = (length_ + block_size_ - 1) / block_size_;
    const auto most =
        kind == action::write_zeroes ? 300 : std::max<std::uint32_t>(2048 / block_size_, 1);
    author.io(kind, below(blocks), between(1, most));
  }

  // Somewhere in a block, to somewhere in the same one or in the next but two.
  void add_partial_io(author& author, action kind) {
    const auto sector = below(length_);
    author.io_sectors(kind, sector,
                      std::min(between(1, std::uint64_t{block_size_} * 3), length_ - sector));
  }

  void add_snapshot(author& author) {
    // Held more often than not: only then there is a second state to read.
    if (held_ ? one_in(2) : one_in(4)) {
      author.refused(held_ ? "take_metadata_snap" : "drop_metadata_snap");
    } else {
      held_ ? author.drop_snapshot() : author.take_snapshot();
      held_ = !held_;
    }
  }

  void add_rarity(author& author) {
    switch (below(8)) {
      case 0:
        author.suspend().resume();
        break;
      case 1:
        author.settle();
        break;
      case 2:
        author.flush();
        break;
      case 3:
        author.refused("hello");
        break;
      case 4:
        author.status();
        break;
      default:
        author.reload(length_ = one_in(3) ? length_ : random_length());
    }
  }

  std::mt19937_64 random_;
  std::uint32_t block_size_ = 0;
  std::uint64_t length_ = 0;
  bool held_ = false;
};

}  // namespace

std::uint64_t guest_schedule::origin_sectors() const {
  std::uint64_t most = 0;
  for (const auto& session : sessions) {
    most = std::max(most, session.length);
    for (const auto& operation : session.operations) {
      if (operation.what == action::reload) {
        most = std::max(most, operation.sectors);
      }
    }
  }
  return most;
}

author::author(std::string name, std::uint32_t block_size, std::uint64_t length) : length_(length) {
  schedule_.name = std::move(name);
  schedule_.block_size = block_size;
  create_again(length);
}

author& author::io(action what, std::uint64_t first_block, std::uint64_t blocks) {
  const auto sector = first_block * schedule_.block_size;
  return io_sectors(what, sector, std::min(blocks * schedule_.block_size, length_ - sector));
}

author& author::io_sectors(action what, std::uint64_t sector, std::uint64_t sectors) {
  return add({what, sector, sectors});
}

author& author::write(std::uint64_t first_block, std::uint64_t blocks) {
  return io(action::write, first_block, blocks);
}

author& author::write_zeroes(std::uint64_t first_block, std::uint64_t blocks) {
  return io(action::write_zeroes, first_block, blocks);
}

author& author::message(const std::string& text) {
  return add({action::message, 0, 0, text});
}

author& author::refused(const std::string& text) {
  return add({action::refused, 0, 0, text});
}

author& author::reload(std::uint64_t length) {
  length_ = length;
  return add({action::reload, 0, length});
}

author& author::cut_power() {
  schedule_.sessions.back().end = ending::power_cut;
  return *this;
}

author& author::create_again(std::uint64_t length) {
  length_ = length;
  schedule_.sessions.push_back({length});
  return *this;
}

author& author::metadata_bytes(std::uint64_t bytes) {
  schedule_.metadata_bytes = bytes;
  return *this;
}

author& author::add(operation what) {
  schedule_.sessions.back().operations.push_back(std::move(what));
  return *this;
}

guest_schedule random_schedule(std::uint64_t seed) {
  return generator(seed).generate("seed" + std::to_string(seed));
}

guest_schedule life_after(const std::string& name, std::uint32_t block_size,
                          std::uint64_t nr_blocks) {
  author author(name, block_size, nr_blocks * block_size);
  const auto middle = nr_blocks / 2;
  author.status().write(0, 3).write(middle, 2).checkpoint().write(1).status().take_snapshot();
  return author.write(nr_blocks - 1).checkpoint().drop_snapshot().settle().status().finish();
}

}  // namespace kernel
