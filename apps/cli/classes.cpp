// SPDX-License-Identifier: Apache-2.0
#include "cli/classes.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numeric>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "cli/table.h"

namespace sinter::cli {

ClassNames ClassNames::read(const std::string& path) {
  const auto file = MappedFile::open(path);
  const auto bytes = file->bytes();
  std::istringstream in(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()));
  ClassNames names;
  for (std::string line; std::getline(in, line);) {
    if (line.ends_with('\r')) line.pop_back();
    require(std::none_of(line.begin(), line.end(), is_control), ErrorKind::bad_input, path,
            ": expected one class name a line, found bytes that are no text in line ",
            names.names_.size() + 1);
    names.names_.push_back(line);
  }
  require(!names.names_.empty(), ErrorKind::bad_input, path,
          ": expected one class name a line, found an empty file");
  return names;
}

std::string ClassNames::operator[](i64 index) const {
  return index < std::ssize(names_) ? names_[size_t(index)] : "";
}

std::vector<i64> best(std::span<const float> scores, i64 count) {
  std::vector<i64> order(scores.size());
  std::iota(order.begin(), order.end(), 0);
  const auto key = [&](i64 i) {
    return std::isnan(scores[size_t(i)]) ? -INFINITY : scores[size_t(i)];
  };
  std::stable_sort(order.begin(), order.end(), [&](i64 a, i64 b) { return key(a) > key(b); });
  order.resize(size_t(std::min<i64>(count, std::ssize(order))));
  return order;
}

std::string scores_text(std::span<const float> scores, const ClassNames& names) {
  const std::vector<i64> order = best(scores, 5);
  Table table({"class", "<name", "score"});
  for (i64 i : order)
    table.add({std::to_string(i), names[i], fmt::format("{:.6f}", scores[size_t(i)])});
  return fmt::format("class {} {}\n\n", order[0], names[order[0]]) + table.text();
}

nlohmann::ordered_json scores_json(std::span<const float> scores, const ClassNames& names) {
  const i64 top = best(scores, 1)[0];
  return {{"class", top},
          {"name", names[top]},
          {"scores", std::vector<float>(scores.begin(), scores.end())}};
}

}  // namespace sinter::cli
