// SPDX-License-Identifier: Apache-2.0
// What `sinter run` says of results: scores, accuracy, differences.
#pragma once
#include <nlohmann/json.hpp>
#include <span>
#include <string>

#include "cli/classes.h"
#include "graph/tensor.h"

namespace sinter::cli {

inline constexpr i64 kMaxRowsShown = 20;

/// [items, classes] of f32, few enough classes to be scores.
bool holds_scores(const Tensor& t);
/// The scores of an item.
std::span<const float> row(const Tensor& t, i64 item);
/// Name, type and shape, and the best classes of the first items where it holds scores.
std::string describe_output(const std::string& name, const Tensor& t, const ClassNames& names);

struct Judgement {
  std::string text;
  nlohmann::ordered_json json;
};

/// Against a .npy of the items' true classes, or of expected values.
/// throws  Error(bad_argument) when shapes differ
Judgement judge_accuracy(const Tensor& scores, const std::string& path);
Judgement judge_difference(const Tensor& found, const std::string& path);

}  // namespace sinter::cli
