// Catch2 3, or 2 where that is what the system has. The tests use what both know, and the names
// that 2 gives to the matchers of strings.
#pragma once

#if __has_include(<catch2/catch_all.hpp>)
#include <catch2/catch_all.hpp>

namespace Catch {

using Matchers::EndsWith;
using Matchers::Matches;
using Matchers::StartsWith;

inline auto Contains(const std::string& text) {
  return Matchers::ContainsSubstring(text);
}

}  // namespace Catch
#else
#include <catch2/catch.hpp>
#endif
