// The C interface as a program uses it, on metadata in files.
#include "include/era/era.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "base/file_test_support.h"
#include "era/read/metadata_test_support.h"

namespace {

class library_test : public testing::Test {
 protected:
  void SetUp() override {
    model_ = era::test::model_in_era_6();
    pd::memory_device device(64, "meta");
    era::test::write_with_snapshot(device, model_);
    bytes_.assign(reinterpret_cast<const char*>(device.block(0)), 64 * pd::block_size);
    base::test::write_file(path(), bytes_);
  }

  std::string path() const { return folder_ / "metadata"; }

  era_metadata* opened(unsigned flags = 0) {
    era_metadata* metadata = nullptr;
    EXPECT_EQ(era_open(&metadata, path().c_str(), flags, &error_), ERA_OK) << error_.text;
    return metadata;
  }

  // The blocks that are listed, one by one.
  std::vector<std::uint64_t> changed(era_metadata* in, std::uint32_t since) {
    era_changes* changes = nullptr;
    EXPECT_EQ(era_changes_since(&changes, in, since, 0, &error_), ERA_OK) << error_.text;
    std::vector<std::uint64_t> blocks;
    era_range range{};
    while (era_next_change(changes, &range) == 1) {
      EXPECT_EQ(range.begin, range.first_block * 65536);
      EXPECT_EQ(range.end, range.end_block * 65536);
      for (std::uint64_t block = range.first_block; block < range.end_block; ++block) {
        blocks.push_back(block);
      }
    }
    era_free_changes(changes);
    return blocks;
  }

  base::test::temporary_folder folder_;
  era::test::model model_;
  std::string bytes_;
  era_error error_{};
};

TEST_F(library_test, has_the_version_of_its_header) {
  const std::string version = era_version();
  EXPECT_EQ(version.find(std::to_string(ERA_VERSION_MAJOR) + "." +
                         std::to_string(ERA_VERSION_MINOR) + "."),
            0U);
}

TEST_F(library_test, says_what_metadata_it_is) {
  era_metadata* const metadata = opened();
  era_facts facts{};
  ASSERT_EQ(era_get_facts(metadata, &facts, sizeof facts, &error_), ERA_OK);
  EXPECT_EQ(facts.block_bytes, 65536U);
  EXPECT_EQ(facts.nr_blocks, 3000U);
  EXPECT_EQ(facts.device_bytes, 3000U * 65536U);
  EXPECT_EQ(facts.current_era, 6U);
  EXPECT_EQ(facts.next_since, 6U);
  EXPECT_EQ(facts.is_open, 1U);
  EXPECT_EQ(era_close(metadata, &error_), ERA_OK);
}

// Of another version, which knows fewer or more facts.
TEST_F(library_test, fills_as_many_facts_as_the_caller_has_room_for) {
  era_metadata* const metadata = opened();
  struct {
    era_facts facts;
    std::uint64_t more;
  } newer{{}, 42};
  ASSERT_EQ(era_get_facts(metadata, &newer.facts, sizeof newer, nullptr), ERA_OK);
  EXPECT_EQ(newer.facts.nr_blocks, 3000U);
  EXPECT_EQ(newer.more, 0U);
  era_facts older{1, 2, 3, 4, 5, 6};
  ASSERT_EQ(era_get_facts(metadata, &older, sizeof older.block_bytes, nullptr), ERA_OK);
  EXPECT_EQ(older.block_bytes, 65536U);
  EXPECT_EQ(older.device_bytes, 2U);
  era_close(metadata, nullptr);
}

TEST_F(library_test, lists_what_was_written_since_an_era) {
  era_metadata* const metadata = opened();
  for (const std::uint32_t since : {0U, 1U, 4U, 5U, 6U, 7U}) {
    std::vector<std::uint64_t> expected;
    for (std::uint64_t block = 0; block < 3000; ++block) {
      if (model_.last_written(block) >= since) {
        expected.push_back(block);
      }
    }
    EXPECT_EQ(changed(metadata, since), expected) << since;
  }
  era_close(metadata, nullptr);
}

TEST_F(library_test, reads_the_metadata_snapshot) {
  era_metadata* const metadata = opened(ERA_OPEN_SNAPSHOT);
  EXPECT_EQ(changed(metadata, 5), std::vector<std::uint64_t>{20});
  era_close(metadata, nullptr);
}

TEST_F(library_test, cuts_the_last_range_where_the_device_ends) {
  era_metadata* const metadata = opened();
  era_changes* changes = nullptr;
  const std::uint64_t end = 3000 * 65536 - 512;
  ASSERT_EQ(era_changes_since(&changes, metadata, 0, end, &error_), ERA_OK);
  era_range range{};
  ASSERT_EQ(era_next_change(changes, &range), 1);
  EXPECT_EQ(range.end, end);
  EXPECT_EQ(era_next_change(changes, &range), 0);
  era_seek_change(changes, 2999);
  ASSERT_EQ(era_next_change(changes, &range), 1);
  EXPECT_EQ(range.begin, 2999U * 65536U);
  era_seek_change(changes, UINT64_MAX);
  EXPECT_EQ(era_next_change(changes, &range), 0);
  era_free_changes(changes);
  EXPECT_EQ(era_changes_since(&changes, metadata, 0, 65536, &error_), ERA_ERROR_DATA);
  era_close(metadata, nullptr);
}

TEST_F(library_test, changes_outlive_the_metadata_they_were_made_of) {
  era_metadata* const metadata = opened();
  era_changes* changes = nullptr;
  ASSERT_EQ(era_changes_since(&changes, metadata, 6, 0, &error_), ERA_OK);
  era_close(metadata, nullptr);
  era_range range{};
  ASSERT_EQ(era_next_change(changes, &range), 1);
  EXPECT_EQ(range.first_block, 30U);
  era_free_changes(changes);
}

TEST_F(library_test, says_in_which_era_blocks_were_last_written) {
  era_metadata* const metadata = opened();
  for (const auto& [first, count] : std::initializer_list<std::pair<std::uint64_t, std::uint64_t>>{
           {0, 3000}, {10, 1}, {5, 40}, {2999, 1}, {3000, 0}}) {
    std::vector<std::uint32_t> eras(count + 1, 99);
    ASSERT_EQ(era_last_written(metadata, first, count, eras.data(), &error_), ERA_OK);
    for (std::uint64_t i = 0; i < count; ++i) {
      EXPECT_EQ(eras[i], model_.last_written(first + i));
    }
    EXPECT_EQ(eras[count], 99U);
  }
  std::uint32_t era = 0;
  EXPECT_EQ(era_last_written(metadata, 3000, 1, &era, &error_), ERA_ERROR_ARGUMENT);
  EXPECT_EQ(era_last_written(metadata, 1, UINT64_MAX, &era, &error_), ERA_ERROR_ARGUMENT);
  era_close(metadata, nullptr);
}

TEST_F(library_test, has_a_code_and_a_text_for_every_failure) {
  auto* metadata = reinterpret_cast<era_metadata*>(1);
  EXPECT_EQ(era_open(&metadata, (folder_ / "none").c_str(), 0, &error_), ERA_ERROR_SYSTEM);
  EXPECT_EQ(error_.code, ERA_ERROR_SYSTEM);
  EXPECT_EQ(error_.text, folder_ / "none: No such file or directory");
  EXPECT_EQ(era_open(&metadata, path().c_str(), 8, &error_), ERA_ERROR_ARGUMENT);
  EXPECT_EQ(era_open(nullptr, path().c_str(), 0, &error_), ERA_ERROR_ARGUMENT);
  EXPECT_EQ(era_open(&metadata, nullptr, 0, nullptr), ERA_ERROR_ARGUMENT);
  EXPECT_EQ(metadata, nullptr);
  EXPECT_EQ(era_close(nullptr, &error_), ERA_OK);
  EXPECT_STREQ(error_.text, "");
  era_free_changes(nullptr);

  metadata = opened();
  auto* changes = reinterpret_cast<era_changes*>(1);
  EXPECT_EQ(era_changes_since(&changes, metadata, 8, 0, &error_), ERA_ERROR_DATA);
  EXPECT_NE(std::string(error_.text).find("since era 8"), std::string::npos) << error_.text;
  EXPECT_EQ(changes, nullptr);
  era_close(metadata, nullptr);
}

TEST_F(library_test, gives_no_range_of_damaged_metadata) {
  int refused = 0;
  for (std::size_t block = 0; block < 20; ++block) {
    std::string damaged = bytes_;
    damaged[block * pd::block_size + 200] ^= 1;
    base::test::write_file(path(), damaged);
    era_metadata* metadata = nullptr;
    era_changes* changes = nullptr;
    std::vector<std::uint32_t> eras(3000);
    if (era_open(&metadata, path().c_str(), 0, &error_) != ERA_OK ||
        era_changes_since(&changes, metadata, 0, 0, &error_) != ERA_OK ||
        era_last_written(metadata, 0, 3000, eras.data(), &error_) != ERA_OK) {
      EXPECT_EQ(error_.code, ERA_ERROR_DATA);
      ++refused;
      if (changes != nullptr) {  // all but the eras could be had
        EXPECT_EQ(std::count(eras.begin(), eras.end(), UINT32_MAX), 3000);
      }
    } else {
      EXPECT_EQ(changed(metadata, 6), std::vector<std::uint64_t>{30});
    }
    era_free_changes(changes);
    era_close(metadata, nullptr);
  }
  EXPECT_GT(refused, 8);
}

TEST_F(library_test, notices_that_the_file_was_changed) {
  era_metadata* const metadata = opened();
  std::this_thread::sleep_for(std::chrono::milliseconds(20));
  base::test::write_file(path(), bytes_ + std::string(4096, 'x'));
  era_changes* changes = nullptr;
  EXPECT_EQ(era_changes_since(&changes, metadata, 0, 0, &error_), ERA_ERROR_DATA);
  EXPECT_NE(std::string(error_.text).find("was changed while it was read"), std::string::npos);
  era_close(metadata, nullptr);
}

TEST_F(library_test, cuts_a_text_that_is_too_long) {
  era_metadata* metadata = nullptr;
  const std::string name(3000, 'x');
  EXPECT_EQ(era_open(&metadata, name.c_str(), 0, &error_), ERA_ERROR_SYSTEM);
  EXPECT_EQ(std::string(error_.text), name.substr(0, ERA_ERROR_TEXT - 1));
}

TEST_F(library_test, is_used_by_many_threads_with_handles_of_their_own) {
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int round = 0; round < 20; ++round) {
        era_metadata* metadata = nullptr;
        era_error error;
        std::vector<std::uint32_t> eras(3000);
        ASSERT_EQ(era_open(&metadata, path().c_str(), 0, &error), ERA_OK) << error.text;
        ASSERT_EQ(era_last_written(metadata, 0, 3000, eras.data(), &error), ERA_OK);
        EXPECT_EQ(eras[30], 6U);
        EXPECT_EQ(era_close(metadata, &error), ERA_OK);
      }
    });
  }
  for (std::thread& one : threads) {
    one.join();
  }
}

}  // namespace
