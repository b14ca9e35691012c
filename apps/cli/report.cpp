// SPDX-License-Identifier: Apache-2.0
#include "cli/report.h"

#include <fmt/format.h>

#include <cmath>

#include "base/file.h"
#include "ckks/noise.h"
#include "encrypted/cost.h"
#include "encrypted/flow.h"

namespace sinter::cli {
namespace {

using Json = nlohmann::ordered_json;
using encrypted::EncryptedProgram;
using encrypted::Instruction;

void add_flow(Json& report, const EncryptedProgram& program) {
  const encrypted::Flow flow = encrypted::flow_of(program);
  report["edges"] = Json::array();
  for (const encrypted::FlowEdge& edge : flow.edges)
    report["edges"].push_back({{"from", edge.from},
                               {"to", edge.to},
                               {"level_from", edge.level_from},
                               {"level_to", edge.level_to},
                               {"main", edge.is_main}});
  report["joins"] = Json::array();
  for (const encrypted::FlowJoin& join : flow.joins) {
    const Instruction& i = program.instructions[size_t(join.instruction)];
    const auto arm = [](const std::vector<i32>& layers, int level, double scale) {
      return Json{{"layers", layers}, {"level", level}, {"log2_scale", std::log2(scale)}};
    };
    report["joins"].push_back({{"instruction", join.instruction},
                               {"layer", i.layer},
                               {"op", std::string(name(i.op))},
                               {"arms",
                                {arm(join.layers_a, join.level_a, join.scale_a),
                                 arm(join.layers_b, join.level_b, join.scale_b)}}});
  }
}

void add_layers(Json& report, const EncryptedProgram& program) {
  std::vector<i64> key_bytes(program.layers.size(), 0);
  for (i64 k = 0; k < std::ssize(program.instructions); ++k)
    key_bytes[size_t(program.instructions[size_t(k)].layer)] +=
        encrypted::key_bytes_read(program, k);
  for (size_t l = 0; l < program.layers.size(); ++l) {
    report["layers"][l]["key_bytes"] = key_bytes[l];
    if (program.layers[l].error <= 0) continue;
    report["layers"][l]["predicted_error"] = program.layers[l].error;
    if (program.layers[l].range <= 0) continue;  // zeros have none
    report["layers"][l]["predicted_bits"] =
        ckks::precision_estimate({program.layers[l].range, program.layers[l].error});
  }
}

}  // namespace

Json plan_report(const EncryptedProgram& program, const encrypted::Explanation& explanation,
                 const std::string& network) {
  Json report = {
      {"network", network},
      {"program_hash", fmt::format("{:016x}", program.hash)},
      {"parameters_hash", fmt::format("{:016x}", program.params.hash())},
      {"ciphertexts",
       std::count_if(program.instructions.begin(), program.instructions.end(),
                     [](const Instruction& i) { return i.op == encrypted::Opcode::input; })}};
  report.update(to_json(explanation));
  SINTER_ASSERT(report["layers"].size() == program.layers.size());
  add_layers(report, program);
  add_flow(report, program);
  return report;
}

std::function<void(const encrypted::Measured&)> RunRecorder::callback() {
  return [this](const encrypted::Measured& m) {
    const Instruction& i = program_.instructions[size_t(m.instruction)];
    instructions_.push_back(
        {{"layer", i.layer},
         {"op", std::string(name(i.op))},
         {"level", i.level},
         {"log2_scale", std::log2(i.scale)},
         {"predicted_seconds", encrypted::cost_of(program_, m.instruction).seconds},
         {"seconds", m.seconds},
         {"cpu_seconds", m.cpu_seconds},
         {"anonymous_bytes", m.anonymous_bytes},
         {"file_bytes", m.file_bytes}});
  };
}

void RunRecorder::finish(const std::string& input, double seconds, double cpu_seconds, i64 images) {
  runs_.push_back({{"input", input},
                   {"images", images},
                   {"seconds", seconds},
                   {"cpu_seconds", cpu_seconds},
                   {"instructions", std::move(instructions_)}});
  instructions_ = Json::array();
}

void RunRecorder::add_to(Json& report) const {
  report["runs"] = runs_;
  if (runs_.empty()) return;
  std::vector<double> seconds(program_.layers.size(), 0.0), cpu_seconds = seconds;
  const double images = runs_.back()["images"].get<double>();
  for (const Json& row : runs_.back()["instructions"]) {
    seconds[row["layer"].get<size_t>()] += row["seconds"].get<double>() / images;
    cpu_seconds[row["layer"].get<size_t>()] += row["cpu_seconds"].get<double>() / images;
  }
  for (size_t l = 0; l < seconds.size(); ++l) {
    report["layers"][l]["measured_seconds"] = seconds[l];
    report["layers"][l]["measured_cpu_seconds"] = cpu_seconds[l];
  }
}

std::string report_text(const Json& report) {
  return report.dump(1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void write_report(const Json& report, const std::string& json_path, const std::string& html_path) {
  const auto write = [](const std::string& path, const std::string& text) {
    write_file(path, std::as_bytes(std::span(text)));
  };
  if (!json_path.empty()) write(json_path, report_text(report));
  if (!html_path.empty()) write(html_path, report_html(report));
}

}  // namespace sinter::cli
