#include "era/report/heat_map.h"

#include <algorithm>
#include <array>
#include <string>
#include <vector>

#include "base/number.h"
#include "base/utf8.h"

namespace era {
namespace {

// Pixels.
constexpr std::uint64_t map_left = 200;  // room for two eras of ten digits
constexpr std::uint64_t map_top = 76;
constexpr std::uint64_t map_width = 768;
constexpr std::uint64_t margin = 40;
constexpr std::uint64_t picture_width = map_left + map_width + margin;
constexpr std::uint64_t below_map = 136;  // axis and legend

struct colour {
  const char* light;
  const char* dark;
};

// Shares of a region up to so many percent have a colour; one of 0 has none.
struct step {
  std::uint64_t up_to;
  colour fill;
};
constexpr std::array<step, 8> scale = {{
    {1, {"#d3e2f2", "#17304d"}},
    {3, {"#bdd5ec", "#183e64"}},
    {10, {"#9dc3e3", "#1b5083"}},
    {25, {"#78aed6", "#2166a0"}},
    {50, {"#4a8fc4", "#3485c2"}},
    {75, {"#2a6ead", "#5aa6da"}},
    {99, {"#134f8c", "#93c8ec"}},
    {100, {"#08306b", "#dbeefb"}},
}};

// A colour's place in the scale, for a share that is not 0.
std::size_t step_of(std::uint64_t part, std::uint64_t whole) {
  std::size_t i = 0;
  while (i + 1 < scale.size() && part * 100 > whole * scale[i].up_to) {
    ++i;
  }
  return i;
}

// A byte that does not belong to UTF-8 stands for itself.
std::vector<std::string_view> characters_of(std::string_view text) {
  std::vector<std::string_view> all;
  for (std::size_t at = 0; at < text.size(); at += all.back().size()) {
    const std::size_t length = base::utf8_length(text.substr(at));
    all.push_back(text.substr(at, std::max<std::size_t>(length, 1)));
  }
  return all;
}

// XML has no place for control characters, bytes that do not belong to UTF-8, and two characters
// that Unicode has not either.
std::string_view escaped_character(std::string_view c) {
  const auto first = static_cast<unsigned char>(c[0]);
  const bool has_no_place = first < 0x20 || first == 0x7F || (c.size() == 1 && first >= 0x80) ||
                            c == "\xEF\xBF\xBE" || c == "\xEF\xBF\xBF";
  return has_no_place ? "?"
         : c == "&"   ? "&amp;"
         : c == "<"   ? "&lt;"
         : c == ">"   ? "&gt;"
         : c == "\""  ? "&quot;"
                      : c;
}

std::string escaped(std::string_view text) {
  std::string safe;
  for (const std::string_view c : characters_of(text)) {
    safe += escaped_character(c);
  }
  return safe;
}

// As many characters as have room however wide they are, with the middle left out: a name ends with
// what distinguishes it.
std::string shortened(const std::string& name) {
  constexpr std::size_t most = 45;
  constexpr std::size_t kept = 21;
  const std::vector<std::string_view> all = characters_of(name);
  if (all.size() <= most) {
    return name;
  }
  const auto offset_of = [&](std::size_t i) {
    return static_cast<std::size_t>(all[i].data() - name.data());
  };
  return name.substr(0, offset_of(kept)) + "..." + name.substr(offset_of(all.size() - kept));
}

// Ticks are a power of two apart, so that their labels are exact: at least 4 and at most 8 of them
// besides that of 0.
std::uint64_t tick_step(std::uint64_t device_bytes) {
  std::uint64_t step = sector_bytes;
  while (device_bytes / step > 8) {
    step *= 2;
  }
  return step;
}

// In the unit of the step: "1280G" if that is 256G.
std::string tick_label(std::uint64_t address, std::uint64_t step) {
  constexpr std::string_view letters = "kMGT";
  std::size_t i = letters.size();
  while (i > 0 && step >> 10 * i == 0) {
    --i;
  }
  return std::to_string(address >> 10 * i) +
         (i == 0 || address == 0 ? "" : std::string(1, letters[i - 1]));
}

class picture {
 public:
  picture(const metadata_standing& standing, const era_statistics& found, base::output& out)
      : standing_(standing), found_(found), out_(out) {
    constexpr std::uint64_t most_height = 576;
    row_height_ = std::clamp<std::uint64_t>(most_height / nr_rows(), 12, 28);
  }

  void print() {
    begin();
    head();
    for (std::size_t row = 0; row < nr_rows(); ++row) {
      print_row(row);
    }
    frame();
    axis_of_addresses();
    legend();
    out_ << "</svg>\n";
  }

 private:
  // Those of the map, and "never".
  std::size_t nr_rows() const { return found_.map.size() + 1; }
  bool is_never(std::size_t row) const { return row == found_.map.size(); }
  const era_bins::bin& bin_of(std::size_t row) const {
    return found_.map[found_.map.size() - 1 - row];
  }

  std::uint64_t y_of(std::size_t row) const { return map_top + row * row_height_; }
  std::uint64_t map_end() const { return y_of(nr_rows()); }

  std::uint64_t blocks_in(std::size_t row, std::size_t region) const {
    const era::region& in = found_.regions[region];
    return is_never(row) ? in.end - in.first - in.written : bin_of(row).blocks[region];
  }

  void begin();
  void head();
  void print_row(std::size_t row);
  void frame();
  void axis_of_addresses();
  void legend();

  picture& put(std::string_view text) {
    out_ << text;
    return *this;
  }
  picture& put(std::uint64_t number) {
    out_.number(number);
    return *this;
  }
  void rectangle(std::string_view kind, std::uint64_t x, std::uint64_t y, std::uint64_t width,
                 std::uint64_t height) {
    put("<rect class=\"").put(kind).put("\" x=\"").put(x).put("\" y=\"").put(y);
    put("\" width=\"").put(width).put("\" height=\"").put(height).put("\"/>\n");
  }
  void text(std::string_view kind, std::uint64_t x, std::uint64_t y, const std::string& words) {
    put("<text class=\"").put(kind).put("\" x=\"").put(x).put("\" y=\"").put(y).put("\">");
    put(escaped(words)).put("</text>\n");
  }

  const metadata_standing& standing_;
  const era_statistics& found_;
  base::output& out_;
  std::uint64_t row_height_ = 0;
};

void picture::begin() {
  const std::uint64_t height = map_end() + below_map;
  put("<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 ").put(picture_width).put(" ");
  put(height).put("\" width=\"").put(picture_width).put("\" height=\"").put(height);
  put("\" role=\"img\">\n<title>When the blocks of ").put(escaped(standing_.file));
  put(" were last written</title>\n<style>\n");
  put("text{font:12px sans-serif;fill:#1b1f24}.h{font-size:16px;font-weight:bold}"
      ".s{fill:#57606a}.r{text-anchor:end}.m{text-anchor:middle}"
      ".b{fill:#ffffff}.e{fill:#f6f8fa}.f{fill:none;stroke:#57606a}.t{stroke:#57606a}\n");
  for (std::size_t i = 0; i < scale.size(); ++i) {
    put(".c").put(i).put("{fill:").put(scale[i].fill.light).put("}");
  }
  put("\n@media(prefers-color-scheme:dark){text{fill:#e6edf3}.s{fill:#9da7b3}.b{fill:#0d1117}"
      ".e{fill:#10161e}.f{stroke:#9da7b3}.t{stroke:#9da7b3}");
  for (std::size_t i = 0; i < scale.size(); ++i) {
    put(".c").put(i).put("{fill:").put(scale[i].fill.dark).put("}");
  }
  put("}\n</style>\n");
  rectangle("b", 0, 0, picture_width, height);
}

void picture::head() {
  text("h", map_left, 26, shortened(standing_.file) + (standing_.is_snapshot ? " (snapshot)" : ""));
  text("s", map_left, 46,
       base::short_size(found_.device_bytes()) + " in " +
           base::counted(found_.facts.nr_blocks, "data block") + " of " +
           base::short_size(found_.block_bytes()) + ", current era " +
           std::to_string(found_.facts.current_era) + (standing_.current_open ? " (open)" : ""));
  text("r s", map_left - 10, map_top - 10, "last written in era");
  rectangle("e", map_left, map_top, map_width, map_end() - map_top);
}

// Neighbours of the same colour are one shape.
void picture::print_row(std::size_t row) {
  const std::size_t nr_regions = found_.regions.size();
  const auto x_of = [&](std::uint64_t block) {
    return map_left + block * map_width / found_.facts.nr_blocks;
  };
  const auto colour_of = [&](std::size_t i) {
    const std::uint64_t blocks = blocks_in(row, i);
    const era::region& in = found_.regions[i];
    return blocks == 0 ? scale.size() : step_of(blocks, in.end - in.first);
  };
  for (std::size_t first = 0, end = 0; first < nr_regions; first = end) {
    const std::size_t step = colour_of(first);
    for (end = first + 1; end < nr_regions && colour_of(end) == step; ++end) {
    }
    if (step < scale.size()) {
      const std::uint64_t x = x_of(found_.regions[first].first);
      rectangle("c" + std::to_string(step), x, y_of(row), x_of(found_.regions[end - 1].end) - x,
                row_height_);
    }
  }
  std::string label = "never";
  if (!is_never(row)) {
    const era_bins::bin& bin = bin_of(row);
    label = std::to_string(bin.first) +
            (bin.first == bin.last ? "" : " \xE2\x80\x93 " + std::to_string(bin.last));
  }
  text("r", map_left - 10, y_of(row) + row_height_ / 2 + 4, label);
}

void picture::frame() {
  rectangle("f", map_left, map_top, map_width, map_end() - map_top);
}

void picture::axis_of_addresses() {
  const std::uint64_t all = found_.device_bytes();
  const std::uint64_t step = tick_step(all);
  for (std::uint64_t i = 0; i <= all / step; ++i) {
    const double part = all == 0 ? 0 : static_cast<double>(i * step) / static_cast<double>(all);
    const std::uint64_t x = map_left + static_cast<std::uint64_t>(part * map_width);
    put("<line class=\"t\" x1=\"").put(x).put("\" y1=\"").put(map_end()).put("\" x2=\"").put(x);
    put("\" y2=\"").put(map_end() + 5).put("\"/>\n");
    text("m", x, map_end() + 20, tick_label(i * step, step));
  }
  const std::size_t columns = found_.regions.size();
  text("m s", map_left + map_width / 2, map_end() + 40,
       columns == 0 ? "the device has no data blocks yet"
                    : "address on the device, in bytes (" + base::counted(columns, "region") +
                          " of " + base::short_size(all / columns) + ")");
}

void picture::legend() {
  constexpr std::uint64_t box = 64;
  const std::uint64_t y = map_end() + 62;
  text("r s", map_left - 10, y + 12, "share of a region");
  std::uint64_t from = 0;
  for (std::size_t i = 0; i < scale.size(); ++i) {
    const std::uint64_t x = map_left + i * (box + 8);
    rectangle("c" + std::to_string(i), x, y, box, 16);
    const std::string before = i == 0 ? "up to " : std::to_string(from) + "\xE2\x80\x93";
    text("m", x + box / 2, y + 32, before + std::to_string(scale[i].up_to) + " %");
    from = scale[i].up_to;
  }
  text("s", map_left, y + 54, "Eras in which no block was last written have no row.");
}

}  // namespace

void print_heat_map(const metadata_standing& standing, const era_statistics& found,
                    base::output& out) {
  picture(standing, found, out).print();
}

}  // namespace era
