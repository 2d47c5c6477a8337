#include "device-mapper/device_tree.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include <filesystem>
#include <iostream>
#include <optional>

#include "base/error.h"
#include "base/file_handle.h"
#include "base/file_test_support.h"
#include "base/process_test_support.h"

namespace {

namespace fs = std::filesystem;
using base::test::message_of;
using base::test::write_file;
using dm::device_tree;

using devices = std::set<dev_t>;

constexpr char no_device[] = "skipped: the temporary folder lies on no device";
constexpr char past_the_device[] =
    "What is written past the era device is in no list. Nothing was suspended.";

// A block device of this machine and its node.
std::optional<std::pair<dev_t, std::string>> some_block_device() {
  std::error_code none;
  for (const auto& entry : fs::directory_iterator("/sys/dev/block", none)) {
    try {
      const std::string node = dm::node_of(entry.path().filename().string());
      return std::pair(base::stat_path(node).st_rdev, node);
    } catch (const base::io_error&) {
      continue;
    }
  }
  return std::nullopt;
}

// A folder whose file system has a number that is no device's.
struct other_folder {
  std::string path;
  std::uint64_t mount;
};

std::optional<other_folder> folder_in_memory() {
  const std::string path = "/dev/shm";
  struct statx facts {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_MNT_ID, &facts) != 0 || facts.stx_dev_major != 0 ||
      (facts.stx_mask & STATX_MNT_ID) == 0) {
    return std::nullopt;
  }
  return other_folder{path, facts.stx_mnt_id};
}

// A machine that exists in files only. The file system that its folder lies on has the number that
// it really has; what that lies on is made up.
class machines : public testing::Test {
 protected:
  machines() : here(base::stat_path(folder / ".").st_dev), tree(folder / ".") {
    fs::create_directories(folder / "sys/dev/block");
    fs::create_directories(folder / "proc/self/fd");
    write_file(folder / "proc/self/maps", "");
    write_file(folder / "proc/self/mountinfo", "");
    for (const dev_t device : {disk, part, era, volume, raid, here}) {
      if (major(device) != 0) {
        add(device);
      }
    }
    if (major(here) == 0) {
      mount(here, "/", "tmpfs", "tmpfs");
    }
  }

  std::string folder_of(dev_t device) const {
    return folder / ("sys/dev/block/" + base::number_text(device));
  }

  void add(dev_t device) const {
    fs::create_directories(folder_of(device) + "/slaves");
    fs::create_directories(folder_of(device) + "/holders");
    fs::create_directories(folder_of(device) + "/loop");
    write_file(folder_of(device) + "/dev", base::number_text(device) + "\n");
  }

  // `above` lies on `beneath`.
  void put(dev_t above, dev_t beneath) const {
    const std::string name = "d" + base::number_text(beneath);
    fs::create_directory_symlink(folder_of(beneath), folder_of(above) + "/slaves/" + name);
    fs::create_directory_symlink(folder_of(above),
                                 folder_of(beneath) + "/holders/d" + base::number_text(above));
  }

  void make_partition(dev_t number, dev_t whole) const {
    const std::string real = folder / ("sys/disk/part" + std::to_string(minor(number)));
    fs::create_directories(real + "/holders");
    write_file(real + "/dev", base::number_text(number) + "\n");
    write_file(real + "/partition", "1\n");
    write_file(folder / "sys/disk/dev", base::number_text(whole) + "\n");
    for (const auto& [device, place] : {std::pair(number, real), {whole, folder / "sys/disk"}}) {
      fs::remove_all(folder_of(device));
      fs::create_directory_symlink(place, folder_of(device));
    }
  }

  void loop(dev_t device, const std::string& file) const {
    write_file(folder_of(device) + "/loop/backing_file", file + "\n");
  }

  void mount(dev_t device, const std::string& place, const std::string& type,
             const std::string& source, const std::string& options = "rw",
             std::uint64_t number = 1) {
    mounts_ += std::to_string(number) + " 1 " + base::number_text(device) + " / " + place +
               " rw shared:1 - " + type + " " + source + " " + options + "\n";
    write_file(folder / "proc/self/mountinfo", mounts_);
  }

  // Something that all of it lies on the era device, in the file system of this folder.
  bool put_this_folder_on_era() {
    if (major(here) == 0) {
      return false;
    }
    put(here, era);
    return true;
  }

  base::test::temporary_folder folder;
  const dev_t disk = ::makedev(8, 0);
  const dev_t part = ::makedev(8, 1);
  const dev_t era = ::makedev(253, 7);
  const dev_t volume = ::makedev(253, 8);
  const dev_t raid = ::makedev(9, 0);
  const dev_t here;
  const device_tree tree;

  void unmount_all() {
    mounts_.clear();
    write_file(folder / "proc/self/mountinfo", "");
  }

 private:
  std::string mounts_;
};

TEST_F(machines, have_devices_that_lie_on_each_other) {
  make_partition(part, disk);
  fs::create_directory_symlink(folder_of(part), folder_of(raid) + "/slaves/sda1");
  put(era, raid);
  put(volume, era);
  EXPECT_EQ(tree.beneath_device(volume), (devices{volume, era, raid, part, disk}));
  EXPECT_EQ(tree.beneath_device(part), (devices{part, disk}));
  EXPECT_EQ(tree.beneath_device(disk), devices{disk});
  EXPECT_EQ(tree.holders_of(era), devices{volume});
}

TEST_F(machines, have_holders_of_partitions) {
  make_partition(part, disk);
  fs::create_directory_symlink(folder_of(era), folder / "sys/disk/part1/holders/dm-7");
  EXPECT_EQ(tree.holders_of(disk), devices{era});
  EXPECT_EQ(tree.holders_of(part), devices{era});
}

TEST_F(machines, are_looked_through_even_in_a_circle) {
  put(era, volume);
  put(volume, era);
  EXPECT_EQ(tree.beneath_device(era), (devices{era, volume}));
}

TEST_F(machines, have_files_on_file_systems_on_devices) {
  write_file(folder / "file", "");
  if (!put_this_folder_on_era()) {
    GTEST_SKIP() << no_device;
  }
  EXPECT_EQ(tree.beneath_file(folder / "file"), (devices{here, era}));
  EXPECT_EQ(tree.beneath_file(folder / "."), (devices{here, era}));
  loop(volume, folder / "file");
  EXPECT_EQ(tree.beneath_device(volume), (devices{volume, here, era}));
}

TEST_F(machines, have_fifos_that_lie_on_nothing) {
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  EXPECT_EQ(tree.beneath_file(folder / "fifo"), devices{});
  EXPECT_NE(message_of<base::io_error>([&] { tree.beneath_file(folder / "nothing"); }), "");
}

// The folder beside, which lies on memory, whose mount the made up machine says to be another.
TEST_F(machines, have_files_of_a_btrfs_whose_numbers_are_not_in_the_table_of_mounts) {
  const auto real = some_block_device();
  const auto other = folder_in_memory();
  if (!real || !other) {
    GTEST_SKIP() << "skipped: this machine has no block device with a node, or no /dev/shm";
  }
  const auto [number, node] = *real;
  if (!fs::exists(folder_of(number))) {
    add(number);
  }
  mount(::makedev(0, 9999), "/data", "btrfs", node, "rw,subvol=/x", other->mount);
  EXPECT_EQ(tree.beneath_file(other->path), devices{number});

  // It has a second device, which lies on yet another.
  put(volume, era);
  const std::string parts = folder / "sys/fs/btrfs/uuid/devices";
  fs::create_directories(parts);
  fs::create_directories(folder / "sys/fs/btrfs/features");
  fs::create_directory_symlink(folder_of(number), parts + "/vda");
  fs::create_directory_symlink(folder_of(volume), parts + "/dm-8");
  EXPECT_EQ(tree.beneath_file(other->path), (devices{number, volume, era}));
}

TEST_F(machines, have_overlays_whose_layers_have_any_name) {
  const auto other = folder_in_memory();
  if (!other || !put_this_folder_on_era()) {
    GTEST_SKIP() << no_device;
  }
  for (const std::string name : {"a b", "a:b", "a,b"}) {
    fs::create_directory(folder / name);
  }
  const std::string lower = "/:" + std::string(folder / "a\\040b");
  const std::vector<std::string> all = {"lowerdir=" + lower,
                                        "lowerdir=/::" + std::string(folder / "a\\134:b"),
                                        "lowerdir=/,upperdir=" + std::string(folder / "a:b"),
                                        "lowerdir=/,workdir=" + std::string(folder / "a\\054b"),
                                        "lowerdir+=/,lowerdir+=" + std::string(folder / "a:b"),
                                        "lowerdir+=/,datadir+=" + std::string(folder / "a:b")};
  for (const std::string& options : all) {
    unmount_all();
    mount(::makedev(0, 9999), "/merged", "overlay", "overlay", "rw," + options + ",xino=off",
          other->mount);
    EXPECT_TRUE(tree.beneath_file(other->path).contains(era)) << options;
  }
}

TEST_F(machines, that_hide_what_something_lies_on_are_refused) {
  const auto other = folder_in_memory();
  if (!other) {
    GTEST_SKIP() << "skipped: there is no /dev/shm";
  }
  for (const std::string layer : {"/not/there", "relative"}) {
    unmount_all();
    mount(::makedev(0, 9999), "/merged", "overlay", "overlay", "rw,lowerdir=" + layer,
          other->mount);
    EXPECT_NE(message_of<base::io_error>([&] {
                tree.beneath_file(other->path);
              }).find("the file system at /merged lies on " + layer + ", which is not to be seen"),
              std::string::npos);
  }
  unmount_all();
  mount(::makedev(0, 9999), "/data", "btrfs", "/dev/not-there", "rw", other->mount);
  EXPECT_THROW(tree.beneath_file(other->path), base::io_error);
  loop(volume, "/image (deleted)");
  EXPECT_EQ(message_of<base::io_error>([&] { tree.beneath_device(volume); }),
            "the loop device 253:8 lies on /image (deleted), which is not to be seen from here\n"
            "So it is not known on which devices it lies. Where it is to be seen, start again.");
  write_file(folder / "proc/swaps", "Filename Type\n/swap\\040(deleted) file 1 0 -2\n");
  EXPECT_NE(message_of<base::io_error>([&] {
              tree.swaps_on(era);
            }).find("a swap area lies on /swap (deleted)"),
            std::string::npos);
  EXPECT_THROW(tree.needs_of_process(era), base::io_error);
}

TEST_F(machines, whose_files_are_not_understood_are_refused) {
  const std::string maps = folder / "proc/self/maps";
  for (const std::string bad : {"7f0-7f1 r--p 0", "7f0-7f1 r--p 0 fd07 9 /x", "x"}) {
    write_file(maps, bad + "\n");
    EXPECT_EQ(message_of<base::io_error>([&] { tree.needs_of_process(era); }),
              folder / "." + "/proc/self/maps: is not understood: " + bad);
  }
  write_file(maps, "");
  const std::string mounts = folder / "proc/self/mountinfo";
  const std::string good = "42 26 0:38 / /mnt rw,relatime shared:1 - btrfs /dev/sda rw";
  write_file(mounts, good + "\n");
  EXPECT_EQ(tree.mounts_of(::makedev(0, 38)), std::vector<std::string>{"/mnt"});
  for (std::size_t end = 1; end < good.size(); ++end) {
    if (good[end] == ' ') {
      write_file(mounts, good.substr(0, end) + "\n");
      EXPECT_THROW(tree.mounts_of(era), base::io_error) << good.substr(0, end);
    }
  }
  for (const std::string bad : {"", "8", "8:", ":0", "8:0x", "8:0:0", "-8:0", "8:99999999999"}) {
    write_file(folder_of(raid) + "/dev", bad + "\n");
    fs::remove_all(folder_of(volume));
    add(volume);
    put(volume, raid);
    EXPECT_THROW(tree.beneath_device(volume), base::io_error) << bad;
    fs::remove_all(folder_of(raid));
    add(raid);
  }
}

TEST_F(machines, that_have_no_proc_or_no_such_device_are_refused) {
  EXPECT_NE(message_of<base::io_error>([&] {
              tree.beneath_device(::makedev(250, 1));
            }).find("/sys/dev/block/250:1: there is no such device"),
            std::string::npos);
  EXPECT_THROW(tree.holders_of(::makedev(250, 1)), base::io_error);
  EXPECT_EQ(tree.needs_of_process(era), std::vector<std::string>{});
  EXPECT_EQ(tree.swaps_on(era), std::vector<std::string>{});  // a kernel without it
  for (const std::string name : {"maps", "fd", "mountinfo"}) {
    const std::string path = folder / ("proc/self/" + name);
    fs::rename(path, folder / "away");
    if (name == "mountinfo") {
      EXPECT_THROW(tree.mounts_of(era), base::io_error);
    } else {
      EXPECT_THROW(tree.needs_of_process(era), base::io_error);
    }
    fs::rename(folder / "away", path);
  }
}

TEST_F(machines, that_have_no_descriptors_left_are_refused) {
  // Members of the fixture are looked up before: a sanitizer needs descriptors to do that.
  base::test::in_child([&asked = tree, &device = era] {
    const rlimit none = {0, 0};
    ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
    int refused = 0;
    const auto must_fail = [&](auto question) {
      try {
        question();
      } catch (const base::io_error&) {
        ++refused;
      }
    };
    must_fail([&] { asked.beneath_device(device); });
    must_fail([&] { asked.holders_of(device); });
    must_fail([&] { asked.mounts_of(device); });
    must_fail([&] { asked.swaps_on(device); });
    must_fail([&] { asked.needs_of_process(device); });
    const rlimit enough = {256, 256};
    ::setrlimit(RLIMIT_NOFILE, &enough);
    EXPECT_EQ(refused, 5);
  });
}

TEST_F(machines, say_where_a_device_is_mounted) {
  mount(era, "/mnt/with\\040blank", "ext4", "/dev/mapper/era");
  mount(volume, "/other", "ext4", "");
  EXPECT_EQ(tree.mounts_of(era), std::vector<std::string>{"/mnt/with blank"});
  EXPECT_EQ(tree.mounts_of(volume), std::vector<std::string>{"/other"});
  EXPECT_EQ(tree.mounts_of(disk), std::vector<std::string>{});
}

TEST_F(machines, have_swap_in_files) {
  if (!put_this_folder_on_era()) {
    GTEST_SKIP() << no_device;
  }
  write_file(folder / "swap", "");
  write_file(folder / "proc/swaps",
             "Filename Type Size Used Priority\n" + (folder / "swap") + "\tfile 1 0 -2\n");
  EXPECT_EQ(tree.swaps_on(era), std::vector<std::string>{folder / "swap"});
  EXPECT_EQ(tree.swaps_on(volume), std::vector<std::string>{});
  EXPECT_EQ(tree.needs_of_process(era),
            std::vector<std::string>{"the swap area " + (folder / "swap")});
}

TEST_F(machines, show_what_a_process_needs) {
  EXPECT_EQ(tree.needs_of_process(era), std::vector<std::string>{});
  if (!put_this_folder_on_era()) {
    GTEST_SKIP() << no_device;
  }
  write_file(folder / "library", "");
  write_file(folder / "out", "");
  write_file(folder / "proc/self/maps",
             "7f0-7f1 r--p 0 00:00 0\n"
             "7f0-7f1 r--p 0 fd:07 9      /usr/lib/gone.so (deleted)\n"
             "7f0-7f1 r--p 0 00:63 9      " +
                 (folder / "library") + "\n7f0-7f1 r--p 0 00:00 0   [stack]\n");
  fs::create_symlink(folder / "out", folder / "proc/self/fd/1");
  fs::create_symlink("/dev/null", folder / "proc/self/fd/0");
  EXPECT_EQ(tree.needs_of_process(era),
            (std::vector<std::string>{folder / "library", "/usr/lib/gone.so (deleted)",
                                      "standard output, " + (folder / "out")}));
}

TEST_F(machines, have_origins_with_one_user) {
  const auto real = some_block_device();
  if (!real) {
    GTEST_SKIP() << "skipped: this machine has no block device with a node";
  }
  const auto [origin, node] = *real;
  if (!fs::exists(folder_of(origin))) {
    add(origin);
  }
  const dm::era_device device{"era", era, node, node, 8, 8};
  put(era, origin);
  dm::require_sole_user(tree, device);

  mount(origin, "/mnt", "ext4", "/dev/x");
  EXPECT_EQ(message_of<base::data_error>([&] { dm::require_sole_user(tree, device); }),
            "era: its origin, " + node + ", is mounted itself, at /mnt\n" + past_the_device);
  unmount_all();
  write_file(folder / "proc/swaps", "Filename\n" + node + " partition 1 0 -2\n");
  EXPECT_EQ(message_of<base::data_error>([&] { dm::require_sole_user(tree, device); }),
            "era: its origin, " + node + ", is a swap area itself\n" + past_the_device);
  fs::remove(folder / "proc/swaps");
  put(volume, origin);
  EXPECT_EQ(
      message_of<base::data_error>([&] { dm::require_sole_user(tree, device); }),
      "era: its origin, " + node + ", is used by the device 253:8 as well\n" + past_the_device);
}

// A real one, which shows its files with numbers that are no device's.
TEST(device_tree, of_this_machine_sees_through_an_overlay) {
  SKIP_UNLESS_ROOT();
  const base::test::temporary_folder folder;
  for (const std::string name : {"lower", "upper", "work", "merged"}) {
    fs::create_directory(folder / name);
  }
  write_file(folder / "lower/file", "");
  base::test::in_child([&] {
    const std::string options = "lowerdir=" + (folder / "lower") +
                                ",upperdir=" + (folder / "upper") + ",workdir=" + (folder / "work");
    const std::string merged = folder / "merged";
    if (::unshare(CLONE_NEWNS) != 0 ||
        ::mount("", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("overlay", merged.c_str(), "overlay", 0, options.c_str()) != 0) {
      std::cout << "skipped: no overlay can be mounted here\n";
      return;
    }
    const device_tree tree;
    EXPECT_EQ(tree.beneath_file(merged + "/file"), tree.beneath_file(folder / "lower"));
  });
}

TEST(device_tree, of_this_machine_knows_what_this_program_needs) {
  const device_tree tree;
  const struct stat program = base::stat_path("/proc/self/exe");
  if (major(program.st_dev) == 0) {
    GTEST_SKIP() << "skipped: this program lies on no device";
  }
  EXPECT_TRUE(tree.beneath_file("/proc/self/exe").contains(program.st_dev));
  EXPECT_FALSE(tree.needs_of_process(program.st_dev).empty());
  EXPECT_FALSE(tree.mounts_of(program.st_dev).empty());
}

}  // namespace
