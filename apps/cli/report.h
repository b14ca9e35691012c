// SPDX-License-Identifier: Apache-2.0
// The report of an encrypted network: what was planned, and what a run took. It is one JSON
// document; the page is made from the document alone, so `sinter report` can make it later and
// elsewhere. The fields are those of `compile --json` and, beside them:
//
//   program_hash, network, ciphertexts
//   layers[]      predicted_error, predicted_bits, key_bytes; of the last run: measured_seconds,
//                 measured_cpu_seconds; of `sinter debug`: measured_largest, measured_error,
//                 measured_bits, lost_bits (against the worst layer read), network_value,
//                 network_error
//   edges[]       from, to (layers), level_from, level_to, main
//   joins[]       instruction, layer, op, arms: 2 of {layers, level, log2_scale}
//   runs[]        input, images (computed together), seconds, cpu_seconds, instructions: {layer,
//                 op, level, log2_scale, predicted_seconds (one image, one thread), seconds,
//                 cpu_seconds, anonymous_bytes, file_bytes}
//   tasks[]       of several workers: worker, image, kind (whole, segment, sums, giants, finish),
//                 layer and name of its first instruction, part, predicted_seconds, begin, end
#pragma once
#include <functional>
#include <nlohmann/json.hpp>
#include <string>

#include "encrypted/execute.h"
#include "encrypted/explain.h"

namespace sinter::cli {

/// The fields of `compile --json`.
nlohmann::ordered_json to_json(const encrypted::Explanation& explanation);

/// The report before a run. network: what to call it, the model's file for example.
nlohmann::ordered_json plan_report(const encrypted::EncryptedProgram& program,
                                   const encrypted::Explanation& explanation,
                                   const std::string& network);

/// Collects what executions take. thread: owned by one.
class RunRecorder {
 public:
  /// The program must outlive this.
  explicit RunRecorder(const encrypted::EncryptedProgram& program) : program_(program) {}

  /// For ExecuteOptions::observe; valid as long as this object.
  std::function<void(const encrypted::Measured&)> callback();
  /// Ends a run: all that came since the last one belongs to `input` and to images - 1 further
  /// ones that were computed with it.
  void finish(const std::string& input, double seconds, double cpu_seconds, i64 images = 1);
  /// Adds runs, and the last one's seconds for one image to the layers.
  void add_to(nlohmann::ordered_json& report) const;

 private:
  const encrypted::EncryptedProgram& program_;
  nlohmann::ordered_json runs_ = nlohmann::ordered_json::array();
  nlohmann::ordered_json instructions_ = nlohmann::ordered_json::array();
};

/// The document as text; names that are no UTF-8 lose what is not.
std::string report_text(const nlohmann::ordered_json& report);

/// The page. throws Error(bad_input) naming the field that is not as above
std::string report_html(const nlohmann::ordered_json& report);

/// Writes what has a path.
void write_report(const nlohmann::ordered_json& report, const std::string& json_path,
                  const std::string& html_path);

}  // namespace sinter::cli
