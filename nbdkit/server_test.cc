#include "nbdkit/server.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/file_test_support.h"
#include "base/number.h"
#include "era/check/check.h"
#include "era/read/metadata_test_support.h"

namespace {

using served::era_window;
using served::server;
using served::server_options;

constexpr std::uint64_t block_bytes = 65536;
constexpr std::uint64_t nr_blocks = 100;
constexpr std::uint64_t disk_bytes = (nr_blocks - 1) * block_bytes + 512;  // the last is a part

class server_of_files : public testing::Test {
 protected:
  server_of_files() {
    options_.metadata = folder_ / "metadata";
    options_.origin = folder_ / "origin";
    options_.control = folder_ / "control";
    options_.block_bytes = block_bytes;
    options_.metadata_bytes = 1 << 20;
    base::test::write_file(options_.origin, std::string(disk_bytes, 'o'));
  }

  std::unique_ptr<server> open() {
    auto made = std::make_unique<server>(
        options_, [](const std::string& message) { ADD_FAILURE() << message; });
    made->start();
    return made;
  }

  std::unique_ptr<server> reopen() {
    options_.metadata_bytes.reset();
    options_.block_bytes.reset();
    return open();
  }

  // The message of the error that opening must throw.
  std::string refusal() {
    return base::test::message_of<base::error>(
        [&] { server(options_, [](const std::string&) {}); });
  }

  static void write(server& to, std::uint64_t block) {
    const std::uint64_t begin = block * block_bytes;
    const auto pass = to.begin_write({begin, begin + 1});
    ASSERT_EQ(to.disk().write(begin, "x", 1), 0);
  }

  // "3-5 7-8"
  static std::string text_of(const era::written_list& list) {
    std::string text;
    era::for_each_run(list.blocks, [&](const era::block_range& run) {
      text += (text.empty() ? "" : " ") + std::to_string(run.first) + "-" + std::to_string(run.end);
    });
    return text;
  }
  static std::string listed(server& by, const std::string& name) {
    return text_of(by.open_list(name)->list());
  }

  static std::string held(server& by) {
    const std::string status = by.answer("status");
    return status.substr(status.rfind(' ') + 1);
  }
  static std::uint64_t era_of(server& by) {
    const std::string status = by.answer("status");
    const std::string head = status.substr(0, status.rfind(' '));
    return *base::parse_number(head.substr(head.rfind(' ') + 1), UINT32_MAX);
  }

  std::string problems() {
    pd::file_device device =
        pd::file_device::open_for_reading(options_.metadata, pd::file_device::sharing::exclusive);
    era::test::problem_recorder found;
    base::no_progress silent;
    era::check(device, {}, found, silent);
    return found.text();
  }

  base::test::temporary_folder folder_;
  server_options options_;
};

TEST_F(server_of_files, makes_metadata_and_goes_on_with_it) {
  {
    const auto first = open();
    EXPECT_EQ(first->answer("status"), "0 12673 era 8 9/256 1 -");
    EXPECT_EQ(first->answer("table"),
              "0 12673 era " + options_.metadata + " " + options_.origin + " 128");
    write(*first, 3);
    first->stop();
  }
  EXPECT_EQ(problems(), "");
  const auto second = reopen();
  EXPECT_EQ(era_of(*second), 2U);
  EXPECT_EQ(second->block_bytes(), block_bytes);
  EXPECT_EQ(listed(*second, "since=1"), "3-4");
  EXPECT_EQ(listed(*second, "since=2"), "");
}

TEST_F(server_of_files, recovers_what_a_killed_server_left) {
  {
    const auto killed = open();
    write(*killed, 7);
  }
  EXPECT_EQ(problems(), "");
  const auto again = reopen();
  EXPECT_EQ(listed(*again, "since=1"), "7-8");
}

TEST_F(server_of_files, lists_what_was_written_since_an_era_and_in_one) {
  const auto serving = open();
  write(*serving, 1);
  EXPECT_EQ(serving->answer("message checkpoint"), "ok");
  write(*serving, 2);
  write(*serving, nr_blocks - 1);
  EXPECT_EQ(serving->answer("message CheckPoint"), "ok");
  write(*serving, 5);
  EXPECT_EQ(listed(*serving, "since=1"), "1-3 5-6 99-100");
  EXPECT_EQ(listed(*serving, "since=2"), "2-3 5-6 99-100");
  EXPECT_EQ(listed(*serving, "era=2"), "2-3 99-100");
  const auto opened = serving->open_list("since=2");
  EXPECT_EQ(opened->list().facts.total_bytes, 2 * block_bytes + 512);
  EXPECT_EQ(opened->list().facts.next_since, era_of(*serving));
}

TEST_F(server_of_files, refuses_names_of_other_exports) {
  const auto serving = open();
  for (const std::string name : {"", "since", "since=", "since=x", "since=-1", "since=4294967296",
                                 "era=4294967295", "since=2", "disk", "Since=1", "since=1 "}) {
    EXPECT_THROW(serving->open_list(name), base::error) << name;
  }
  EXPECT_EQ(era_of(*serving), 1U);
  EXPECT_EQ(held(*serving), "-");
}

TEST_F(server_of_files, holds_a_snapshot_as_long_as_a_client_of_it_is_there) {
  const auto serving = open();
  write(*serving, 1);
  auto first = serving->open_list("since=1");
  const std::string where = held(*serving);
  EXPECT_NE(where, "-");
  const std::uint64_t era = era_of(*serving);
  auto same = serving->open_list("since=1");
  EXPECT_EQ(held(*serving), where);
  EXPECT_EQ(era_of(*serving), era);  // nothing was written in between
  EXPECT_EQ(&first->list(), &same->list());
  first.reset();
  EXPECT_EQ(held(*serving), where);
  same.reset();
  EXPECT_EQ(held(*serving), "-");
}

TEST_F(server_of_files, gives_later_clients_what_was_written_since) {
  const auto serving = open();
  write(*serving, 1);
  auto early = serving->open_list("since=1");
  write(*serving, 2);
  auto late = serving->open_list("since=1");
  EXPECT_EQ(text_of(early->list()), "1-2");
  EXPECT_EQ(text_of(late->list()), "1-3");
  early.reset();
  EXPECT_NE(held(*serving), "-");
  late.reset();
  EXPECT_EQ(held(*serving), "-");
}

TEST_F(server_of_files, leaves_a_snapshot_of_others_alone) {
  const auto serving = open();
  write(*serving, 1);
  EXPECT_EQ(serving->answer("message take_metadata_snap"), "ok");
  const std::string where = held(*serving);
  write(*serving, 2);
  EXPECT_EQ(listed(*serving, "since=1"), "1-3");
  EXPECT_EQ(held(*serving), where);
  EXPECT_THROW(serving->answer("message take_metadata_snap"), era::refused);
  EXPECT_EQ(serving->answer("message drop_metadata_snap"), "ok");
  EXPECT_EQ(held(*serving), "-");
}

// Dropped and taken by message while a client is there: it is not the client's any more.
TEST_F(server_of_files, does_not_take_a_snapshot_of_others_for_its_own) {
  const auto serving = open();
  write(*serving, 1);
  auto client = serving->open_list("since=1");
  EXPECT_EQ(serving->answer("message drop_metadata_snap"), "ok");
  EXPECT_EQ(serving->answer("message take_metadata_snap"), "ok");
  const std::string where = held(*serving);
  client.reset();
  EXPECT_EQ(held(*serving), where);
}

TEST_F(server_of_files, has_a_limit_on_lists) {
  const auto serving = open();
  std::vector<std::unique_ptr<server::listing>> clients;
  for (std::uint64_t i = 0; i < served::delta_exports::most_lists; ++i) {
    write(*serving, i);
    clients.push_back(serving->open_list("since=1"));
  }
  EXPECT_THROW(serving->open_list("since=2"), base::io_error);
  clients.pop_back();
  EXPECT_NO_THROW(serving->open_list("since=2"));
}

TEST_F(server_of_files, answers_only_what_it_knows) {
  const auto serving = open();
  for (const std::string line : {"", "Status", "status ", "message", "message ", "message hello",
                                 "message checkpoint now"}) {
    EXPECT_THROW(serving->answer(line), base::error) << line;
  }
}

TEST_F(server_of_files, holds_both_files_alone) {
  const auto serving = open();
  options_.metadata_bytes.reset();
  options_.control.clear();
  EXPECT_NE(refusal().find("another program"), std::string::npos) << refusal();
  options_.metadata = folder_ / "other";
  options_.metadata_bytes = 1 << 20;
  EXPECT_NE(refusal().find(options_.origin), std::string::npos) << refusal();
  EXPECT_FALSE(std::filesystem::exists(options_.metadata));
}

TEST_F(server_of_files, says_what_is_wrong) {
  const server_options good = options_;
  options_.metadata_bytes.reset();
  EXPECT_NE(refusal().find("metadata-size=1M"), std::string::npos) << refusal();
  options_ = good;
  options_.block_bytes.reset();
  EXPECT_NE(refusal().find("block-size"), std::string::npos) << refusal();
  std::filesystem::remove(options_.metadata);
  options_ = good;
  options_.origin = folder_ / "missing";
  EXPECT_NE(refusal().find("missing"), std::string::npos);
  options_ = good;
  base::test::write_file(options_.origin, std::string(1000, 'o'));
  EXPECT_NE(refusal().find("multiple of 512"), std::string::npos);
}

TEST_F(server_of_files, takes_only_metadata_of_its_kind) {
  { open()->stop(); }
  options_.block_bytes = 2 * block_bytes;
  options_.metadata_bytes.reset();
  EXPECT_NE(refusal().find("65536 bytes, not 131072"), std::string::npos) << refusal();
  options_.block_bytes = block_bytes;
  options_.metadata_bytes = 2 << 20;
  EXPECT_NE(refusal().find("2097152"), std::string::npos) << refusal();
  base::test::write_file(options_.metadata, std::string(1 << 20, 'x'));
  options_.metadata_bytes.reset();
  EXPECT_NE(refusal().find("superblock"), std::string::npos) << refusal();
  EXPECT_EQ(base::test::read_file(options_.metadata), std::string(1 << 20, 'x'));
}

TEST_F(server_of_files, changes_nothing_where_it_is_read_only) {
  {
    const auto before = open();
    write(*before, 4);
  }
  const std::string metadata = base::test::read_file(options_.metadata);
  options_.read_only = true;
  {
    const auto serving = reopen();
    EXPECT_EQ(listed(*serving, "since=1"), "4-5");
    EXPECT_EQ(era_of(*serving), 1U);
    EXPECT_THROW(serving->answer("message checkpoint"), era::refused);
    EXPECT_NE(serving->disk().write(0, "x", 1), 0);
    serving->stop();
  }
  EXPECT_EQ(base::test::read_file(options_.metadata), metadata);
}

}  // namespace
