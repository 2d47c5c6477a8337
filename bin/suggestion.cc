#include "bin/suggestion.h"

#include <algorithm>
#include <numeric>

namespace cli {
namespace {

// Fewer letters are the beginning or a part of too much.
constexpr std::size_t shortest_beginning = 4;

struct owned {
  const char* option;
  const char* tool;
};

// Options that are looked for in the wrong tool.
constexpr owned elsewhere[] = {
    {"--repair", "era_dump"},
    {"--logical", "era_dump"},
    {"--compact", "era_dump"},
    {"--pack", "era_dump"},
    {"--metadata-snapshot", "era_dump"},
    {"--written-since", "era_invalidate"},
    {"--live", "era_invalidate"},
    {"--cache", "era_cache_invalidate"},
    {"--cache-metadata", "era_cache_invalidate"},
    {"--list", "era_cache_invalidate"},
    {"--allow-dirty", "era_cache_invalidate"},
    {"--execute", "era_cache_invalidate"},
    {"--super-block-only", "era_check"},
    {"--ignore-non-fatal-errors", "era_check"},
    {"--input", "era_restore"},
    {"--all-written", "era_restore"},
    {"--unpack", "era_restore"},
    {"--current-era", "era_restore"},
    {"--force", "era_restore"},
    {"--data-block-size", "era_repair"},
    {"--nr-blocks", "era_repair"},
    {"--device-size", "era_metadata_size"},
    {"--block-size", "era_metadata_size"},
    {"--writesets", "era_metadata_size"},
    {"--verify", "era_copy"},
    {"--consistent", "era_copy"},
    {"--delta", "era_copy"},
    {"--apply", "era_copy"},
    {"--skip-equal", "era_copy"},
    {"--control", "era_message"},
    {"--svg", "era_stat"},
    {"--regions", "era_stat"},
};

std::vector<std::string> names_of(const std::vector<option>& options) {
  std::vector<std::string> names;
  for (const option& o : options) {
    for (const char* const name : {o.name, o.alias}) {
      if (name != nullptr) {
        names.push_back(std::string("--") + name);
      }
    }
  }
  return names;
}

std::size_t edit_distance(const std::string& a, const std::string& b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), 0);
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = diagonal + (a[i - 1] != b[j - 1]);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, replaced});
    }
  }
  return row.back();
}

// "--written-since" has the parts "written" and "since".
std::vector<std::string> parts_of(const std::string& name) {
  std::vector<std::string> parts(1);
  for (const char c : name) {
    if (c != '-') {
      parts.back() += c;
    } else if (!parts.back().empty()) {
      parts.emplace_back();
    }
  }
  if (parts.back().empty()) {
    parts.pop_back();
  }
  return parts;
}

bool has_parts_of(const std::string& name, const std::string& wanted) {
  const std::vector<std::string> all = parts_of(name);
  const std::vector<std::string> some = parts_of(wanted);
  return std::all_of(some.begin(), some.end(), [&](const std::string& part) {
    return std::find(all.begin(), all.end(), part) != all.end();
  });
}

std::string most_alike(const std::string& wanted, const std::vector<std::string>& names) {
  std::string best;
  // Of three letters one may be wrong. More, and almost anything would be like something.
  std::size_t best_distance = wanted.size() / 3 + 1;
  for (const std::string& name : names) {
    const std::size_t distance = edit_distance(wanted, name);
    if (distance < best_distance) {
      best_distance = distance;
      best = name;
    }
  }
  return best;
}

// The option that was probably meant: one with the same words in it, one of which this is the
// beginning, or the one most alike.
std::string nearest(const std::string& wanted, const std::vector<std::string>& names) {
  if (wanted.size() >= shortest_beginning) {
    for (const std::string& name : names) {
      if (has_parts_of(name, wanted)) {
        return name;
      }
    }
    for (const std::string& name : names) {
      if (name.starts_with(wanted)) {
        return name;
      }
    }
  }
  return most_alike(wanted, names);
}

}  // namespace

std::string sentence_about_unknown(const std::string& unknown, const std::vector<option>& options) {
  const std::string sentence = "unknown option '" + unknown + "'";
  const std::string wanted = unknown.substr(0, unknown.find('='));
  for (const owned& other : elsewhere) {
    if (wanted == other.option) {
      return sentence + "; '" + other.tool + " " + other.option + "' does that.";
    }
  }
  const std::string meant = nearest(wanted, names_of(options));
  return sentence + (meant.empty() ? "." : "; did you mean '" + meant + "'?");
}

}  // namespace cli
