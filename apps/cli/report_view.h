// SPDX-License-Identifier: Apache-2.0
// A report's document (report.h) read into plain data for drawing: the document may come from a
// file, so every number is checked here before anything is drawn with it.
#pragma once
#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/types.h"

namespace sinter::cli {

/// Numbers that a document does not have are negative.
struct ReportLayer {
  std::string name, op, method;
  int level_in = 0, level_out = 0;
  double diagonals = 0, hoisted_rotations = 0, rotations = 0;
  double plaintext_bytes = 0, key_bytes = -1;
  double range = 0, predicted_seconds = 0;
  double measured_seconds = -1, measured_cpu_seconds = -1;
  double predicted_bits = -1, measured_bits = -1, measured_largest = -1, measured_error = -1;
};

struct ReportEdge {
  i64 from = 0, to = 0;
  int level_from = 0, level_to = 0;
  bool is_main = false;
};

struct ReportArm {
  std::vector<i64> layers;
  int level = 0;
  double log2_scale = 0;
};

struct ReportJoin {
  i64 instruction = 0, layer = 0;
  std::string op;
  ReportArm a, b;
  bool is_equal() const { return a.level == b.level; }
};

struct ReportRun {
  std::string input;
  double images = 1, seconds = 0, cpu_seconds = 0;
  /// After each instruction: seconds since the start, and resident bytes.
  std::vector<std::pair<double, double>> anonymous, file;
};

struct ReportView {
  std::vector<ReportLayer> layers;
  std::vector<ReportEdge> edges;
  std::vector<ReportJoin> joins;
  std::vector<ReportRun> runs;
};

/// A document of at most 256 MiB; what lies deeper in it than anything of ours is dropped.
/// throws  Error(bad_input) naming the file when it is no JSON object
nlohmann::ordered_json parse_report(std::span<const std::byte> bytes, const std::string& name);

/// throws  Error(bad_input) naming the field and what was expected
ReportView read_report(const nlohmann::ordered_json& report);

/// A field of an object: a number, or a text; `otherwise` where it is missing or null.
/// throws  Error(bad_input) when it is of another kind
double number_at(const nlohmann::ordered_json& object, const char* key, double otherwise = -1);
std::string text_at(const nlohmann::ordered_json& object, const char* key);

}  // namespace sinter::cli
