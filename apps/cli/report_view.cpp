// SPDX-License-Identifier: Apache-2.0
#include "cli/report_view.h"

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace sinter::cli {
namespace {

using Json = nlohmann::ordered_json;

constexpr i64 kMostBytes = i64(256) << 20;
constexpr int kDeepest = 12;
constexpr i64 kMostLayers = 20000, kMostLevels = 1000;
constexpr double kLargest = 1e18;  // of any number: bytes and seconds become whole ones

/// An array, empty where it is missing.
const Json& array_at(const Json& object, const char* key) {
  static const Json kNone = Json::array();
  require(object.is_object(), ErrorKind::bad_input, "report: expected an object around \"", key,
          "\"");
  const auto at = object.find(key);
  if (at == object.end()) return kNone;
  require(at->is_array(), ErrorKind::bad_input, "report: \"", key, "\": expected a list, found ",
          at->type_name());
  return *at;
}

i64 integer_at(const Json& object, const char* key, i64 least, i64 end) {
  const double value = number_at(object, key, double(least));
  require(value == std::floor(value) && value >= double(least) && value < double(end),
          ErrorKind::bad_input, "report: \"", key, "\": expected a whole number from ", least,
          " to ", end - 1, ", found ", value);
  return i64(value);
}

int level_at(const Json& object, const char* key) {
  return int(integer_at(object, key, -1, kMostLevels));
}

ReportLayer layer_of(const Json& row) {
  ReportLayer layer;
  layer.name = text_at(row, "name");
  layer.op = text_at(row, "op");
  layer.method = text_at(row, "method");
  layer.level_in = level_at(row, "level_in");
  layer.level_out = level_at(row, "level_out");
  const std::pair<const char*, double*> numbers[] = {
      {"diagonals", &layer.diagonals},
      {"hoisted_rotations", &layer.hoisted_rotations},
      {"rotations", &layer.rotations},
      {"plaintext_bytes", &layer.plaintext_bytes},
      {"key_bytes", &layer.key_bytes},
      {"range", &layer.range},
      {"predicted_seconds", &layer.predicted_seconds},
      {"measured_seconds", &layer.measured_seconds},
      {"measured_cpu_seconds", &layer.measured_cpu_seconds},
      {"predicted_bits", &layer.predicted_bits},
      {"measured_bits", &layer.measured_bits},
      {"measured_largest", &layer.measured_largest},
      {"measured_error", &layer.measured_error}};
  for (const auto& [key, value] : numbers) *value = number_at(row, key, *value);
  return layer;
}

ReportArm arm_of(const Json& row, i64 layers) {
  ReportArm arm;
  for (const Json& layer : array_at(row, "layers"))
    arm.layers.push_back(integer_at({{"layers", layer}}, "layers", 0, layers));
  arm.level = level_at(row, "level");
  arm.log2_scale = number_at(row, "log2_scale");
  return arm;
}

ReportRun run_of(const Json& row) {
  ReportRun run;
  run.input = text_at(row, "input");
  run.images = number_at(row, "images", 1);
  run.seconds = number_at(row, "seconds");
  run.cpu_seconds = number_at(row, "cpu_seconds");
  double at = 0;
  for (const Json& step : array_at(row, "instructions")) {
    at += std::max(0.0, number_at(step, "seconds"));
    run.anonymous.emplace_back(at, number_at(step, "anonymous_bytes", 0));
    run.file.emplace_back(at, number_at(step, "file_bytes", 0));
  }
  return run;
}

}  // namespace

double number_at(const Json& object, const char* key, double otherwise) {
  require(object.is_object(), ErrorKind::bad_input, "report: expected an object around \"", key,
          "\"");
  const auto at = object.find(key);
  if (at == object.end() || at->is_null()) return otherwise;
  require(at->is_number(), ErrorKind::bad_input, "report: \"", key, "\": expected a number, found ",
          at->type_name());
  const double value = at->get<double>();
  require(std::abs(value) <= kLargest, ErrorKind::bad_input, "report: \"", key,
          "\": expected a number up to ", kLargest, ", found ", value);
  return value;
}

std::string text_at(const Json& object, const char* key) {
  require(object.is_object(), ErrorKind::bad_input, "report: expected an object around \"", key,
          "\"");
  const auto at = object.find(key);
  if (at == object.end()) return "";
  require(at->is_string(), ErrorKind::bad_input, "report: \"", key, "\": expected a text, found ",
          at->type_name());
  return at->get<std::string>();
}

Json parse_report(std::span<const std::byte> bytes, const std::string& name) {
  require(std::ssize(bytes) <= kMostBytes, ErrorKind::bad_input, name,
          ": expected a report of at most ", kMostBytes, " bytes, found ", bytes.size());
  const auto* text = reinterpret_cast<const char*>(bytes.data());
  const auto is_shallow = [](int depth, Json::parse_event_t, Json&) { return depth <= kDeepest; };
  Json document = Json::parse(text, text + bytes.size(), is_shallow, false);
  require(
      document.is_object(), ErrorKind::bad_input, name,
      ": expected the JSON of `sinter compile --json`, `sinter infer --report` or `sinter debug "
      "--json`");
  return document;
}

ReportView read_report(const Json& report) {
  ReportView view;
  for (const Json& row : array_at(report, "layers")) view.layers.push_back(layer_of(row));
  const i64 layers = std::ssize(view.layers);
  require(layers >= 1 && layers <= kMostLayers, ErrorKind::bad_input,
          "report: \"layers\": expected 1 to ", kMostLayers, " layers, found ", layers,
          "; give a file that `sinter compile --json` or `sinter infer --report` wrote");
  for (const Json& row : array_at(report, "edges")) {
    ReportEdge& edge = view.edges.emplace_back();
    edge.from = integer_at(row, "from", 0, layers);
    edge.to = integer_at(row, "to", 0, layers);
    edge.level_from = level_at(row, "level_from");
    edge.level_to = level_at(row, "level_to");
    edge.is_main = row.contains("main") && row["main"] == true;
  }
  for (const Json& row : array_at(report, "joins")) {
    ReportJoin& join = view.joins.emplace_back();
    join.instruction = integer_at(row, "instruction", 0, i64(1) << 31);
    join.layer = integer_at(row, "layer", 0, layers);
    join.op = text_at(row, "op");
    const Json& arms = array_at(row, "arms");
    require(arms.size() == 2, ErrorKind::bad_input, "report: \"arms\": expected 2, found ",
            arms.size());
    join.a = arm_of(arms[0], layers);
    join.b = arm_of(arms[1], layers);
  }
  for (const Json& row : array_at(report, "runs")) view.runs.push_back(run_of(row));
  return view;
}

}  // namespace sinter::cli
