// make_xml: what make_image writes for the same options, as the XML that era_dump prints of it,
// without going through metadata. Input for era_restore, and what era_dump can be compared with.
#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <bit>
#include <cerrno>
#include <vector>

#include "base/error.h"
#include "base/file_handle.h"
#include "benchmarks/contents_options.h"
#include "benchmarks/xml_lines.h"

namespace {

constexpr std::uint32_t bits_per_word = 64;
constexpr std::uint32_t window = 1024 * bits_per_word;  // blocks made up at a time

const cli::command command{
    "make_xml", "[options] {FILE|-}",
    "Writes the XML of metadata with made-up eras and writesets to FILE, anew.",
    bench::with_contents_options(
        {{0, "compact", nullptr, "leave out unset bits and eras of 0, as era_dump --compact does"},
         {0, "order", "NAME", "has no effect here: XML is the same for both orders of blocks"},
         {0, "metadata-blocks", "N", "has no effect here"}})};

class xml_file {
 public:
  explicit xml_file(const std::string& path) : name_(path) {
    if (path != "-") {
      file_ =
          base::file_handle(::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666));
      if (!file_.is_open()) {
        throw base::io_error(base::system_message(path, errno));
      }
    }
  }

  bench::xml_lines& lines() {
    if (lines_.is_full()) {
      drain();
    }
    return lines_;
  }

  // A line that occurs only now and then.
  void add(const std::string& line) {
    drain();
    base::write_all(fd(), line.data(), line.size(), name_);
  }

  void close() {
    drain();
    if (file_.is_open()) {
      file_.close(name_);
    }
  }

 private:
  int fd() const { return file_.is_open() ? file_.fd() : STDOUT_FILENO; }

  void drain() {
    base::write_all(fd(), lines_.text().data(), lines_.text().size(), name_);
    lines_.clear();
  }

  std::string name_;
  base::file_handle file_;
  bench::xml_lines lines_;
};

std::string attribute(const char* name, std::uint32_t value) {
  return std::string(" ") + name + "=\"" + std::to_string(value) + "\"";
}

void add_set_bits(xml_file& xml, std::uint32_t first, std::uint64_t word) {
  for (; word != 0; word &= word - 1) {
    xml.lines().add_bit(first + static_cast<std::uint32_t>(std::countr_zero(word)), true);
  }
}

void add_all_bits(xml_file& xml, std::uint32_t first, std::uint64_t word, std::uint32_t end) {
  for (std::uint32_t block = first; block < end; ++block) {
    xml.lines().add_bit(block, (word >> (block - first) & 1) != 0);
  }
}

void add_writeset(xml_file& xml, const bench::contents& what, std::uint32_t i, bool compact) {
  xml.add("  <writeset" + attribute("era", what.era_of_writeset(i)) +
          attribute("nr_bits", what.nr_blocks) + ">\n");
  bench::bit_stream bits(what, i);
  std::vector<std::uint64_t> words(window / bits_per_word);
  for (std::uint64_t first = 0; first < what.nr_blocks; first += bits_per_word) {
    if (first % window == 0) {
      bits.next(words);
    }
    const std::uint64_t word = words[first % window / bits_per_word];
    const auto block = static_cast<std::uint32_t>(first);
    if (compact) {
      add_set_bits(xml, block, word);
    } else {
      add_all_bits(xml, block, word, std::min(what.nr_blocks, block + bits_per_word));
    }
  }
  xml.add("  </writeset>\n");
}

void add_era_array(xml_file& xml, const bench::contents& what, bool compact) {
  xml.add("  <era_array>\n");
  bench::era_stream values(what);
  std::vector<std::uint32_t> eras(window);
  for (std::uint32_t block = 0; block < what.nr_blocks; ++block) {
    if (block % window == 0) {
      values.next(eras);
    }
    const std::uint32_t era = eras[block % window];
    if (era != 0 || !compact) {
      xml.lines().add_era(block, era);
    }
  }
  xml.add("  </era_array>\n");
}

cli::exit_status make_xml(const cli::arguments& given) {
  const bench::contents what = bench::parse_contents(given);
  const bool compact = given.has("compact");
  xml_file xml(bench::output_file(given));
  xml.add("<superblock uuid=\"\"" + attribute("block_size", what.block_size) +
          attribute("nr_blocks", what.nr_blocks) + attribute("current_era", what.current_era) +
          ">\n");
  for (std::uint32_t i = 0; i < what.nr_writesets; ++i) {
    add_writeset(xml, what, i, compact);
  }
  add_era_array(xml, what, compact);
  xml.add("</superblock>\n");
  xml.close();
  return cli::exit_status::success;
}

}  // namespace

int main(int argc, char** argv) {
  return cli::run_tool(command, argc, argv, make_xml);
}
