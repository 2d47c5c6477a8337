#include "era/restore.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "era/build/array_filler.h"
#include "era/format/superblock.h"
#include "era/format/writeset.h"
#include "era/xml/xml_reader.h"
#include "persistent-data/btree_builder.h"
#include "persistent-data/file_device.h"
#include "persistent-data/space_map_builder.h"

namespace era {
namespace {

// Nodes of a tree that btree_builder makes of `entries` values.
std::uint64_t nr_nodes(std::uint64_t entries, std::uint32_t value_size) {
  std::uint64_t nodes = 0;
  std::uint64_t level =
      std::max<std::uint64_t>(1, base::ceil_div(entries, pd::node_capacity(value_size)));
  for (;; level = base::ceil_div(level, pd::node_capacity(8))) {
    nodes += level;
    if (level == 1) {
      return nodes;
    }
  }
}

// The smallest device that has room for `blocks` and for a space map of all of it: index, count
// tree and bitmaps.
std::uint64_t with_space_map(std::uint64_t blocks) {
  std::uint64_t size = blocks + 2;
  while (size < blocks + 2 + base::ceil_div(size, pd::counts_per_bitmap)) {
    size = blocks + 2 + base::ceil_div(size, pd::counts_per_bitmap);
  }
  return size;
}

std::uint64_t blocks_of(const pd::array_root& array) {
  return array.nr_array_blocks() + nr_nodes(array.nr_array_blocks(), 8);
}

// Takes the contents of the XML and builds the metadata, the superblock last.
class restorer final : public xml_sink {
 public:
  restorer(pd::block_device& device, std::string xml_name)
      : device_(device), xml_name_(std::move(xml_name)), writer_(device, 1, [this] { mark(); }) {}

  void begin_superblock(std::uint32_t block_size, std::uint32_t nr_blocks,
                        std::uint32_t current_era) override {
    superblock_.data_block_size = block_size;
    superblock_.nr_blocks = nr_blocks;
    superblock_.current_era = current_era;
    array_blocks_ = blocks_of({pd::no_block, 4, nr_blocks});
    check_room();
    eras_ = std::make_unique<array_filler>(writer_, array_filler::kind::eras, nr_blocks, xml_name_);
  }

  void begin_writeset(std::uint32_t era, std::uint32_t nr_bits, text_position at) override {
    const auto [place, is_new] = writesets_.insert({era, {nr_bits, pd::no_block}});
    if (!is_new) {
      refuse_xml(xml_name_, at, "a second writeset of era " + std::to_string(era));
    }
    present_ = place;
    array_blocks_ += blocks_of(pd::bitset_root(pd::no_block, nr_bits));
    check_room();
    bits_ = std::make_unique<array_filler>(writer_, array_filler::kind::bits, nr_bits, xml_name_);
  }

  void bits(std::span<const xml_run> runs) override { bits_->put(runs); }

  void end_writeset() override { present_->second.root = bits_->finish(); }

  void eras(std::span<const xml_run> runs) override { eras_->put(runs); }

  // After the whole document was read and found good.
  void finish() {
    superblock_.era_array_root = eras_->finish();
    superblock_.writeset_tree_root = build_writeset_tree();
    const std::vector<std::uint32_t> counts(writer_.next(), 1);
    superblock_.space_map = pd::write_space_map(writer_, counts);
    writer_.flush();
    pd::block_buffer block(1);
    encode_superblock(superblock_, block.block(0));
    pd::seal_block(superblock_block, 0, block.block(0));
    write_block_0(block.block(0));
  }

 private:
  struct bitset {
    std::uint32_t nr_bits;
    block_nr root;
  };

  block_nr build_writeset_tree() {
    pd::btree_builder tree(writer_, writeset_value_size);
    for (const auto& [era, set] : writesets_) {
      std::byte value[writeset_value_size];
      encode_writeset({era, set.nr_bits, set.root}, value);
      tree.add(era, value);
    }
    return tree.finish();
  }

  // Throws if what has been announced so far is more than the device holds.
  void check_room() const {
    const std::uint64_t have = pd::usable_blocks(device_);
    const std::uint64_t need =
        with_space_map(1 + array_blocks_ + nr_nodes(writesets_.size(), writeset_value_size));
    if (need > have) {
      throw base::io_error(device_.name() + ": Output file too small: at least " +
                           std::to_string(need) + " blocks of 4096 bytes (" +
                           std::to_string(need * pd::block_size) + " bytes) are needed, it has " +
                           std::to_string(have) + ".");
    }
  }

  void mark() {
    pd::block_buffer block(1);
    std::memcpy(block.block(0), restore_mark.data(), restore_mark.size());
    write_block_0(block.block(0));
  }

  void write_block_0(const std::byte* block) {
    const pd::write_request request{0, block};
    device_.write({&request, 1});
    device_.flush();
  }

  pd::block_device& device_;
  std::string xml_name_;
  pd::bulk_writer writer_;
  superblock superblock_;
  std::uint64_t array_blocks_ = 0;  // of all arrays announced so far, with their trees
  std::unique_ptr<array_filler> eras_;
  std::unique_ptr<array_filler> bits_;
  std::map<std::uint32_t, bitset> writesets_;  // by era
  std::map<std::uint32_t, bitset>::iterator present_ = writesets_.end();
};

// Standard input keeps its descriptor: it is not ours to close.
struct xml_input {
  std::string name;
  base::file_handle file;
  int fd() const { return file.is_open() ? file.fd() : STDIN_FILENO; }
};

xml_input open_xml(const std::string& path) {
  if (path == "-") {
    return {"standard input", base::file_handle()};
  }
  xml_input input{path, base::file_handle(::open(path.c_str(), O_RDONLY | O_CLOEXEC))};
  if (!input.file.is_open()) {
    throw base::io_error(base::system_message(path, errno));
  }
  struct stat info {};
  if (::fstat(input.fd(), &info) == 0 && S_ISDIR(info.st_mode)) {
    throw base::io_error(path + ": Is a directory, not an XML file");
  }
  return input;
}

pd::file_device open_output(const std::string& path, const xml_input& input) {
  struct stat out {};
  struct stat in {};
  if (::stat(path.c_str(), &out) != 0) {
    const int error = errno;
    throw base::io_error(base::system_message(
        path, error,
        error == ENOENT ? "The output must exist and be large enough; truncate -s makes a file."
                        : ""));
  }
  if (::fstat(input.fd(), &in) == 0 && in.st_dev == out.st_dev && in.st_ino == out.st_ino) {
    throw base::io_error(path + ": is the input; give another file for the output");
  }
  return pd::file_device::open_for_writing(path);
}

}  // namespace

void restore(const restore_options& options) {
  const xml_input input = open_xml(options.input);
  pd::file_device device = open_output(options.output, input);
  restorer building(device, input.name);
  read_xml(input.fd(), input.name, building, [&](const std::string& remark) {
    if (!options.quiet) {
      std::fprintf(stderr, "%s\n", remark.c_str());
    }
  });
  building.finish();
}

}  // namespace era
