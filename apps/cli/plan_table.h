// SPDX-License-Identifier: Apache-2.0
// The candidates of `sinter compile --plan` as a table and as JSON.
#pragma once
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "encrypted/candidate.h"

namespace sinter::cli {

/// The best few of every kind and ring, the nearest of those that cannot be used, and why.
std::string plan_text(const std::vector<encrypted::Candidate>& candidates);
/// All of them.
nlohmann::ordered_json plan_json(const std::vector<encrypted::Candidate>& candidates);

}  // namespace sinter::cli
