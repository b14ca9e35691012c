// SPDX-License-Identifier: Apache-2.0
// Reading a result as a class: the largest of k scores, with names where the user has them.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

#include "base/types.h"

namespace sinter::cli {

class ClassNames {
 public:
  ClassNames() = default;
  /// One name a line. throws Error(io), Error(bad_input) when the file is empty
  static ClassNames read(const std::string& path);
  /// The name of a class; its number when there are no names, or too few.
  std::string operator[](i64 index) const;

 private:
  std::vector<std::string> names_;
};

/// Indices of the `count` largest scores, best first; ties by index, NaN last.
std::vector<i64> best(std::span<const float> scores, i64 count);

/// "class 9 Ankle boot", and the scores of the best five as a table.
std::string scores_text(std::span<const float> scores, const ClassNames& names);
nlohmann::ordered_json scores_json(std::span<const float> scores, const ClassNames& names);

}  // namespace sinter::cli
