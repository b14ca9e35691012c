// SPDX-License-Identifier: Apache-2.0
#include "cli/run_results.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/npy.h"
#include "cli/table.h"
#include "cli/tensor_io.h"

namespace sinter::cli {
namespace {

constexpr i64 kMaxClasses = 1000;

}  // namespace

bool holds_scores(const Tensor& t) {
  return t.dtype() == DType::f32 && t.rank() == 2 && t.dim(0) > 0 && t.dim(1) > 1 &&
         t.dim(1) <= kMaxClasses;
}

std::span<const float> row(const Tensor& t, i64 item) {
  return t.data<float>().subspan(size_t(item * t.dim(1)), size_t(t.dim(1)));
}

std::string describe_output(const std::string& name, const Tensor& t, const ClassNames& names) {
  std::string text =
      fmt::format("{}: {} {}\n", printable(name), sinter::name(t.dtype()), to_text(t.dims()));
  if (!holds_scores(t)) return text;
  if (t.dim(0) == 1) return text + scores_text(row(t, 0), names);
  Table table({"item", "class", "<name", "score"});
  for (i64 i = 0; i < std::min(t.dim(0), kMaxRowsShown); ++i) {
    const i64 top = best(row(t, i), 1)[0];
    table.add({std::to_string(i), std::to_string(top), names[top],
               fmt::format("{:.6f}", row(t, i)[size_t(top)])});
  }
  text += table.text();
  if (t.dim(0) > kMaxRowsShown)
    text += fmt::format("... and {} more\n", count_text(t.dim(0) - kMaxRowsShown));
  return text;
}

Judgement judge_accuracy(const Tensor& scores, const std::string& path) {
  const Tensor truth = read_tensor(path);
  require(holds_scores(scores) && is_integer(truth.dtype()) && truth.size() == scores.dim(0),
          ErrorKind::bad_argument, path, ": expected ", scores.rank() > 0 ? scores.dim(0) : 1,
          " integer labels for an output ", to_text(scores.dims()), ", found ", name(truth.dtype()),
          " ", to_text(truth.dims()));
  i64 right = 0;
  for (i64 i = 0; i < truth.size(); ++i) right += best(row(scores, i), 1)[0] == truth.as_int(i);
  const double part = double(right) / double(truth.size());
  return {fmt::format("accuracy: {} of {} = {:.2f} %\n", count_text(right),
                      count_text(truth.size()), 100 * part),
          {{"right", right}, {"items", truth.size()}, {"accuracy", part}}};
}

Judgement judge_difference(const Tensor& found, const std::string& path) {
  const Tensor expected = read_tensor(path);
  require(expected.dims() == found.dims() && is_float(expected.dtype()), ErrorKind::bad_argument,
          path, ": expected floats of shape ", to_text(found.dims()), ", found ",
          name(expected.dtype()), " ", to_text(expected.dims()));
  double difference = 0, largest = 0;
  for (i64 i = 0; i < found.size(); ++i) {
    const double e = expected.as_double(i), d = std::abs(found.as_double(i) - e);
    difference = std::isnan(d) || d > difference ? d : difference;
    largest = std::max(largest, std::abs(e));
  }
  return {fmt::format("compared with {}: largest difference {:.3g}, largest value {:.4g}, ratio "
                      "{:.3g}\n",
                      path, difference, largest, largest > 0 ? difference / largest : 0),
          {{"file", path}, {"max_difference", difference}, {"max_value", largest}}};
}

}  // namespace sinter::cli
