#include "persistent-data/block_reader.h"

#include <gtest/gtest.h>

#include "persistent-data/faulty_device.h"
#include "persistent-data/metadata_test_support.h"

namespace {

using pd::damage_kind;

class block_reader : public testing::Test {
 protected:
  block_reader() {
    for (pd::block_nr i = 1; i < 16; ++i) {
      pd::test::change_block(device_, pd::node_block, i,
                             [&](std::byte* block) { base::put_le64(block + 100, i); });
    }
  }

  void read(const std::vector<pd::block_nr>& blocks) {
    pd::block_reader reader(faulty_);
    reader.read(pd::node_block, blocks, buffer_, faults_);
    ASSERT_EQ(faults_.size(), blocks.size());
  }

  pd::memory_device device_{16};
  pd::faulty_device faulty_{device_};
  pd::block_buffer buffer_{16};
  std::vector<std::optional<pd::damage>> faults_;
};

TEST_F(block_reader, hands_blocks_over_in_the_order_asked_for) {
  const std::vector<pd::block_nr> wanted = {9, 3, 15, 1, 3};
  read(wanted);
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    EXPECT_FALSE(faults_[i]);
    EXPECT_EQ(base::get_le64(buffer_.block(i) + 100), wanted[i]);
  }
}

TEST_F(block_reader, counts_the_blocks_it_read) {
  pd::block_reader reader(device_);
  const pd::block_nr wanted[] = {1, 99, 2};
  reader.read(pd::node_block, wanted, buffer_, faults_);
  EXPECT_EQ(reader.blocks_read(), 2U);
}

TEST_F(block_reader, finds_numbers_that_name_no_metadata_block) {
  read({0, 1, 16, UINT64_MAX});
  EXPECT_FALSE(faults_[1]);
  for (const std::size_t i : {0, 2, 3}) {
    ASSERT_TRUE(faults_[i]);
    EXPECT_EQ(faults_[i]->kind, damage_kind::block_out_of_range);
  }
  EXPECT_EQ(faults_[2]->block, 16U);
}

TEST_F(block_reader, finds_each_fault_and_reads_the_rest) {
  faulty_.fail_reads_of(2);
  pd::test::spoil(device_, 3);
  pd::seal_block(pd::node_block, 9, device_.block(4));
  pd::seal_block(pd::array_block, 5, device_.block(5));
  read({1, 2, 3, 4, 5, 6});
  EXPECT_FALSE(faults_[0]);
  EXPECT_EQ(faults_[1]->kind, damage_kind::block_unreadable);
  EXPECT_EQ(faults_[2]->kind, damage_kind::block_checksum);
  EXPECT_EQ(faults_[3]->kind, damage_kind::block_number);
  EXPECT_EQ(faults_[4]->kind, damage_kind::block_checksum);
  EXPECT_FALSE(faults_[5]);
  for (std::size_t i = 1; i < 5; ++i) {
    EXPECT_EQ(faults_[i]->block, i + 1);
    EXPECT_FALSE(pd::test::loses(*faults_[i]));
  }
}

TEST_F(block_reader, names_the_type_that_a_block_really_has) {
  for (const auto& type : {pd::array_block, pd::index_block, pd::bitmap_block}) {
    pd::seal_block(type, 5, device_.block(5));
    EXPECT_EQ(
        pd::describe_bad_checksum(pd::node_block, device_.block(5)),
        std::string(type.name[0] == 'a' ? "is an " : "is a ") + type.name + ", not a btree node");
  }
  pd::block_buffer zeros(1);
  EXPECT_EQ(pd::describe_bad_checksum(pd::node_block, zeros.block(0)),
            "bad checksum 0x00000000, a btree node would have 0x58cc7e82");
}

}  // namespace
