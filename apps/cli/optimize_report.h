// SPDX-License-Identifier: Apache-2.0
// What `sinter optimize` and `sinter verify` say: as tables, as JSON, as one HTML page.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "passes/certificate.h"
#include "passes/check_equal.h"
#include "passes/pipeline.h"

namespace sinter::cli {

/// A run from file to file.
struct OptimizeRun {
  std::string model, output;  ///< paths; output may be empty
  std::string model_sha256;   ///< for the certificate; empty when none is wanted
  std::string profile;
  u64 seed = 1;  ///< of the samples
  i64 opset_before = 0, opset_after = 0;
  i64 file_bytes_before = 0, file_bytes_after = 0;  ///< 0: not written
  std::vector<std::string> defaulted_inputs;
  OptimizeReport report;
  EqualityReport equality;  ///< samples 0: not compared
  double equality_s = 0;
};

nlohmann::ordered_json to_json(const OptimizeRun& run);
nlohmann::ordered_json to_json(const EqualityReport& report);
nlohmann::ordered_json to_json(const Certificate& certificate);

/// SHA-256 in hexadecimal.
std::string file_sha256(const std::string& path);
/// Reads run.output again, where there is one, for its digest.
nlohmann::ordered_json certificate_json(const OptimizeRun& run, const Graph& original,
                                        const Graph& optimized);

std::string pass_list(bool json);  ///< all passes, with what they do

std::string operators_text(const OptimizeReport& report);  ///< nodes before and after, by operator
std::string passes_text(const OptimizeReport& report);     ///< what each pass did
std::string skips_text(const OptimizeReport& report);      ///< what was left alone and why
std::string failures_text(const OptimizeReport& report);   ///< rewrites that were undone

/// One static page: no script, no reference to anything outside.
std::string to_html(const OptimizeRun& run);

}  // namespace sinter::cli
