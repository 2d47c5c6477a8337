// What era_stat prints: tables with bars for people, or JSON. Thread safe: no state.
#pragma once

#include <cstddef>

#include "base/output.h"
#include "era/report/metadata_standing.h"
#include "era/report/statistics.h"

namespace era {

// In lines of at most `width` columns, at least 80.
void print_statistics_text(const metadata_standing& standing, const era_statistics& found,
                           std::size_t width, base::output& out);

void print_statistics_json(const metadata_standing& standing, const era_statistics& found,
                           base::output& out);

}  // namespace era
